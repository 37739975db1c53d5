// Lists of cipher suites as nginx takes them (contract section 16), made into what Node's TLS takes. Pure.

export interface CipherList {
  /** OpenSSL's syntax, with the TLS 1.3 suites that were named; null: nothing usable was, the library's list is for you. */
  readonly list: string | null
  /** Names that this TLS library does not have, as they were written. */
  readonly unknown: readonly string[]
}

/**
 * `known`: `tls.getCiphers()`. Groups of equal preference (`[A|B]`) become a sequence. Suites of TLS 1.3 stand beside
 * those of older versions: when only one of the two kinds is named, the other one stays as the library has it.
 */
export function readCipherList(text: string, known: readonly string[]): CipherList {
  const names = new Set(known.map(name => name.toUpperCase()))
  const kept: string[] = []
  const unknown: string[] = []
  for (const rule of text.split(/[:;,|[\] ]+/)) {
    if (rule === '') continue
    if (isKnown(rule, names)) kept.push(rule)
    else unknown.push(rule)
  }
  // Exclusions and commands alone select nothing.
  const older = kept.filter(rule => !isTls13(rule))
  const selects = older.some(rule => /^[A-Za-z0-9]/.test(rule))
  const rules = selects ? kept : ['DEFAULT', ...kept]
  const nothing = !selects && kept.length === 0
  return { list: nothing ? null : rules.join(':'), unknown }
}

function isTls13(rule: string): boolean {
  return rule.startsWith('TLS_')
}

function isKnown(rule: string, names: ReadonlySet<string>): boolean {
  if (rule === '@STRENGTH' || /^@SECLEVEL=[0-5]$/.test(rule)) return true
  // Node reads a suite of TLS 1.3 by its prefix, and in capitals only.
  if (/^tls_/i.test(rule)) return isTls13(rule) && names.has(rule)
  const [, body = ''] = /^[!+-]?(.*)$/.exec(rule) ?? []
  return body.split('+').every(part => names.has(part.toUpperCase()) || aliases.has(part))
}

/** Words of OpenSSL's cipher strings (openssl-ciphers(1)) besides the names of suites. */
const aliases = new Set(
  (
    'DEFAULT COMPLEMENTOFDEFAULT ALL COMPLEMENTOFALL HIGH MEDIUM LOW eNULL NULL aNULL kRSA aRSA RSA kDHr kDHd kDH ' +
    'kDHE kEDH DHE EDH DH ADH kEECDH kECDHE ECDHE EECDH ECDH AECDH aDSS DSS aDH aECDH aECDSA ECDSA TLSv1.2 TLSv1.0 ' +
    'TLSv1 SSLv3 AES128 AES256 AES AESGCM AESCCM AESCCM8 ARIA128 ARIA256 ARIA ARIAGCM CAMELLIA128 CAMELLIA256 CAMELLIA ' +
    'CHACHA20 3DES DES RC4 RC2 IDEA SEED MD5 SHA1 SHA SHA256 SHA384 aGOST aGOST01 kGOST GOST94 GOST89MAC PSK kPSK ' +
    'kECDHEPSK kDHEPSK kRSAPSK aPSK SRP kSRP aSRP CBC EXPORT EXP SUITEB128 SUITEB128ONLY SUITEB192'
  ).split(' '),
)
