// The words that names of apps are made of when nobody chose one.

export const adjectives: readonly string[] = `
  agile airy amber ample apt arid azure balmy bold brave breezy bright brisk broad bubbly calm candid careful cheery chilly
  civil clear clever coastal cobalt cosy crisp curious daring deep deft dewy downy dusky eager early earnest easy elegant
  even fair fast festive fine fluffy fond frank free fresh frosty gentle gilded glad gleaming golden grand green handy
  hardy hearty honest humble ideal ivory jolly jovial keen kind lasting light lively lucid lucky lunar mellow merry mild
  mossy neat nimble noble orderly patient placid plucky polite proud quick quiet rapid ready robust rosy rustic serene
  silent silver smooth snowy solar spry steady sunny swift tidy tranquil upbeat velvet vivid warm wise witty zesty
`
  .trim()
  .split(/\s+/)

export const nouns: readonly string[] = `
  acorn alcove almond anchor apple arbour atlas aurora badger bakery barley basin bay beacon birch blossom bonfire brook
  cabin canoe canyon cedar cherry clover cobbler comet compass coral cove crane creek cricket dahlia daisy dawn delta
  dolphin dune ember falcon fern field finch fjord forest fox garden geyser glacier glade grove gull hamlet harbour harvest
  hazel heath heron hill iris island ivy juniper kestrel kettle lagoon lantern larch lark laurel linden lotus maple marble
  meadow mesa mill moon mountain oak oasis orchard otter owl pebble pine plateau plum pond poplar prairie quarry quartz
  quill rabbit raven reef ridge river robin saddle sail sparrow spring spruce star stream summit sunset swan thicket
  thistle tulip valley village walnut willow wren
`
  .trim()
  .split(/\s+/)
