// What makes a shell complete `deis` commands: it asks `deis` itself, so that both always agree.

import type { Command, Commands } from '../command.ts'
import { Fault } from '../fault.ts'

// Bash breaks words at `:` and `=`, and replaces only what follows the last of them.
const bash = `# Put this into ~/.bashrc: source <(deis completion bash)
_deis() {
  local line="\${COMP_LINE:0:COMP_POINT}" word cut='' sign candidate
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=('')
  word="\${words[\${#words[@]}-1]}"
  for sign in : =; do
    if [[ "$COMP_WORDBREAKS" == *"$sign"* && "$word" == *"$sign"* ]]; then
      local upto="\${word%"\${word##*"$sign"}"}"
      (( \${#upto} > \${#cut} )) && cut="$upto"
    fi
  done
  COMPREPLY=()
  while IFS= read -r candidate; do
    COMPREPLY+=("\${candidate#"$cut"}")
  done < <(deis __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -o default -F _deis deis
`

const zsh = `#compdef deis
# Put this into ~/.zshrc, after compinit: source <(deis completion zsh)
_deis() {
  local -a candidates
  candidates=("\${(@f)$(deis __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${candidates[1]}" ]]; then
    compadd -a candidates
  else
    _files
  fi
}
compdef _deis deis
`

const fish = `# Put this into a file: deis completion fish > ~/.config/fish/completions/deis.fish
function __deis_complete
    set -l words (commandline -opc)
    set -l candidates (deis __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if set -q candidates[1]
        printf '%s\\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c deis -f -a '(__deis_complete)'
`

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish }

const print: Command = {
  about:
    'Prints what makes a shell complete commands, options and names of apps.\n\n' +
    'bash: source <(deis completion bash)\nzsh:  source <(deis completion zsh)\n' +
    'fish: deis completion fish > ~/.config/fish/completions/deis.fish',
  positionals: [{ name: '<shell>', count: 'one', help: 'bash, zsh or fish' }],
  async run({ output }, args) {
    const shell = args.at(0)
    if (!Object.hasOwn(scripts, shell)) throw new Fault(`${JSON.stringify(shell)} is not bash, zsh or fish`)
    output.print(scripts[shell]!)
  },
}

export const commands: Commands = { '': print }
