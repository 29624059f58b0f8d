"""Words for looks and wishes: names to train on, and names whose words are in no training phrase."""

from __future__ import annotations

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pencil": ((
        "pencil sketch", "pencil drawing", "pencil drawing on white paper", "hand drawn pencil sketch",
        "sketchbook page", "fine pencil lines", "monochrome pencil art", "rough pencil sketch", "artist's sketch",
        "drawn by hand with a pencil", "soft pencil shading", "pencil portrait",
    ), ("graphite", "leonardo da vinci")),
    "charcoal": ((
        "charcoal drawing", "charcoal sketch", "smudged charcoal", "dark charcoal on paper", "charcoal portrait",
        "burnt wood drawing", "heavy black smudges", "expressive charcoal strokes", "charcoal study",
        "dark smudgy drawing", "moody charcoal art",
    ), ("anthracite", "soot rubbed on a sheet")),
    "ink_wash": ((
        "ink wash painting", "ink wash", "chinese ink painting", "diluted ink and brush",
        "black ink brush painting", "brush and ink on rice paper", "grey ink washes",
        "traditional asian ink painting", "zen ink painting", "wet ink brush drawing",
    ), ("sumi-e", "bamboo scroll")),
    "chalkboard": ((
        "chalk on a blackboard", "chalkboard drawing", "white chalk lines", "school blackboard",
        "green chalkboard", "chalk art", "drawn with chalk", "blackboard sketch", "chalk drawing in a school",
        "dusty chalk on a dark board", "chalk outlines on a dark board",
    ), ("geometry lesson", "professor's maths lecture")),
    "blueprint": ((
        "blueprint", "architect's blueprint", "white lines on blue paper", "technical drawing", "engineering plan",
        "blue technical drawing", "construction plan", "blue and white plan with a grid",
        "construction drawing on blue", "architectural drawing", "technical plan of a machine",
    ), ("draughtsman's elevation", "cad schematic")),
    "engraving": ((
        "vintage engraving", "banknote engraving", "copper plate engraving", "engraved lines",
        "old book illustration with lines", "sepia engraving", "an old print made of lines", "antique engraving",
        "19th century engraving", "engraved portrait", "steel engraving",
    ), ("an etched dollar bill", "an intaglio")),
    "crosshatch": ((
        "crosshatching", "cross hatched ink drawing", "pen and ink drawing", "ink pen hatching",
        "hatched pen drawing", "hatching with a pen", "ink drawing with crossed lines", "fountain pen drawing",
        "dense pen hatching", "black ink illustration with hatching",
    ), ("a nib and quill", "edward gorey")),
    "crayon": ((
        "crayon drawing", "wax crayons", "children's crayon drawing", "a child's drawing",
        "kids drawing with crayons", "coloured wax crayons", "kindergarten drawing",
        "drawn by a child with crayons", "bright crayon scribbles", "naive crayon art",
    ), ("crayola", "a toddler's fridge gift")),
    "ballpoint": ((
        "ballpoint pen drawing", "ballpoint sketch", "ball pen scribble", "drawn with a ballpoint pen",
        "pen doodles in a notebook", "scribbled pen drawing", "office pen sketch", "blue pen on paper",
        "scribble art", "school notebook pen drawing",
    ), ("a bic biro", "margin jottings")),
    "oil": ((
        "oil painting", "oil on canvas", "classical oil portrait", "old master painting", "painted in oils",
        "rich oil colours", "museum painting", "canvas painting", "smooth oil painting", "oil paint",
        "baroque oil painting", "classical painting",
    ), ("rembrandt", "the renaissance")),
    "impasto": ((
        "impasto", "impasto painting", "thick brush strokes", "thick paint",
        "heavy paint laid on with a wide brush", "painterly brush strokes", "thick oil paint with visible strokes",
        "chunky brush strokes", "painted with a wide brush", "textured thick painting", "bold brush dabs",
    ), ("slathered with a spatula", "auerbach")),
    "van_gogh": ((
        "van gogh painting", "in the manner of van gogh", "van gogh", "swirling brush strokes",
        "swirling blue and yellow strokes", "post-impressionist swirls", "painted by van gogh", "swirly painting",
        "turbulent swirling paint", "van gogh style portrait",
    ), ("starry cypresses", "vincent from arles")),
    "watercolour": ((
        "watercolor painting", "watercolour", "soft watercolor washes", "painted with watercolors",
        "delicate watercolour", "wet paint on paper", "light watercolor sketch", "watercolor illustration",
        "loose watercolour portrait", "transparent watercolor", "watercolour on paper",
    ), ("an aquarelle", "runny pigments")),
    "gouache": ((
        "gouache painting", "gouache", "matte paint", "flat opaque paint", "tempera painting", "poster paint",
        "opaque matte painting", "chalky matte colours", "painted with gouache", "gouache illustration",
        "mid-century gouache",
    ), ("casein", "acrylics")),
    "pastel": ((
        "pastel drawing", "soft pastels", "pastel on toned paper", "oil pastel", "chalk pastel portrait",
        "pastel sticks", "drawn with soft pastels", "coloured pastel strokes", "dusty pastel drawing",
        "pastel painting",
    ), ("edgar degas", "powdery conté")),
    "pointillism": ((
        "pointillism", "pointillist painting", "painted with tiny dots of colour", "dots of pure colour",
        "neo-impressionist dots", "painting made of points", "dotted painting", "thousands of coloured dots",
        "dot painting", "impressionism with dots",
    ), ("seurat", "confetti specks")),
    "ukiyo_e": ((
        "japanese woodblock print", "ukiyo-e", "hokusai", "hokusai print", "old japanese print", "edo woodblock",
        "prussian blue japanese print", "in the style of the great wave", "japanese woodcut in blue and cream",
        "traditional japanese print",
    ), ("hiroshige", "a floating world kabuki actor")),
    "expressionist": ((
        "expressionist painting", "expressionism", "wild unnatural colours", "kandinsky", "fauvist painting",
        "munch painting", "abstract colourful painting", "painting by kandinsky", "garish expressive colours",
        "expressive painting with strange colours", "blue rider painting",
    ), ("matisse", "ernst kirchner")),
    "comic": ((
        "comic book", "comic with dots", "vintage comic panel", "superhero comic", "printed comic page",
        "american comic", "bold ink and dots", "graphic novel in colour", "comic panel with ink and dots",
        "colourful comic strip", "comic",
    ), ("roy lichtenstein", "spider-man by marvel")),
    "manga": ((
        "manga", "black and white manga", "manga panel", "japanese comic in black and white",
        "manga with screen tones", "manga page", "shonen manga", "inked manga drawing", "screentone manga",
        "manga portrait",
    ), ("naruto", "a tankobon")),
    "halftone": ((
        "halftone print", "halftone dots", "black halftone dots", "picture made of black dots",
        "big round printed dots", "halftone pattern", "dot screen print", "black and white halftone",
        "halftone poster", "raster dots",
    ), ("ben-day grille", "polka spots in varying girth")),
    "risograph": ((
        "risograph print", "riso print", "two colour print", "pink and blue print", "duotone print",
        "screen print in two inks", "zine print", "indie poster print", "printed with two inks",
        "pink and navy risograph", "duotone pink and blue",
    ), ("serigraph", "misaligned overprinting")),
    "woodcut": ((
        "woodcut", "woodcut print", "carved wood print", "medieval woodcut", "black woodcut", "expressive woodcut",
        "wood block with carved lines", "rough carved print", "old german woodcut",
        "wood engraving with thick lines",
    ), ("albrecht dürer", "xylography")),
    "newspaper": ((
        "newspaper photo", "old newspaper print", "newsprint", "grey newspaper dots", "press photo in a newspaper",
        "yellowed newspaper", "front page picture", "printed in a newspaper", "cheap newsprint",
        "newspaper clipping",
    ), ("the daily gazette", "tabloid broadsheet")),
    "stencil": ((
        "stencil graffiti", "spray paint stencil", "street art stencil", "stencil on a concrete wall",
        "sprayed stencil", "graffiti on a wall", "spray paint", "street art", "urban stencil art",
        "two layer stencil",
    ), ("banksy", "shepard fairey obey")),
    "pop_art": ((
        "pop art", "pop art poster", "bright pop art colours", "flat pop art inks", "posterized",
        "red yellow and purple poster", "sixties pop art", "bold poster art", "pop art screen print",
        "posterised portrait", "flat bright poster",
    ), ("andy warhol", "marilyn")),
    "noir": ((
        "film noir", "black and white film", "high contrast black and white", "1940s detective film",
        "dramatic black and white", "classic black and white portrait", "noir", "black and white photo",
        "moody black and white", "old black and white movie",
    ), ("hitchcock", "humphrey bogart")),
    "golden_hour": ((
        "golden hour", "warm sunset light", "sunset", "golden light", "late afternoon sun", "warm evening glow",
        "bathed in sunlight", "golden evening", "summer evening", "orange sunset", "warm golden sun",
        "evening sun",
    ), ("amber dusk", "sunrise")),
    "cyberpunk": ((
        "cyberpunk", "cyberpunk city", "synthwave", "pink and cyan night", "magenta and teal light",
        "futuristic city at night", "sci-fi neon night colours", "cyberpunk city at night",
        "purple and cyan lighting", "futuristic purple glow", "neon night city",
    ), ("blade runner", "outrun")),
    "neon": ((
        "neon outlines", "glowing neon lines", "neon sign", "glowing edges on black", "neon light drawing",
        "luminous outlines in the dark", "laser lines", "electric glowing contours", "neon tubes",
        "glow in the dark outlines", "glowing edges",
    ), ("tron", "fluorescent wireframe")),
    "night_rain": ((
        "rainy night", "night rain", "rain on a window at night", "wet window at night", "rain drops on glass",
        "raindrops on the window", "rainy evening", "through a rainy window", "night in the rain",
        "wet glass with drops",
    ), ("monsoon downpour", "a stormy drizzle")),
    "infrared": ((
        "infrared film", "infrared photography", "false colour infrared", "pink infrared landscape",
        "infrared photo", "crimson leaves infrared", "false colour film", "shot on infrared film",
        "surreal infrared colours", "colour infrared",
    ), ("aerochrome", "kodak eir chlorophyll")),
    "thermal": ((
        "thermal camera", "heat map", "heat vision", "thermal imaging", "heat signature", "temperature map",
        "heat colours", "body heat image", "as seen by a thermal camera", "thermal picture", "heat camera",
    ), ("flir", "predator sensing")),
    "night_vision": ((
        "night vision", "night vision goggles", "green night camera", "military night scope",
        "green phosphor screen", "spy camera at night", "night scope", "green night vision camera",
        "surveillance camera at night", "green monitor",
    ), ("matrix hacker", "sniper binoculars")),
    "vhs": ((
        "vhs tape", "vhs", "old video tape", "eighties home video", "analogue video", "worn video cassette",
        "vhs recording", "90s camcorder", "lo-fi video tape", "retro video recording",
    ), ("betamax", "glitchy vcr tracking")),
    "super8": ((
        "super 8 film", "super 8", "seventies home movie", "old home movie", "vintage film with grain",
        "faded film of the seventies", "8 mm film", "warm grainy film", "amateur film from the 70s",
        "faded vintage movie",
    ), ("kodachrome", "nostalgic celluloid")),
    "bleach_bypass": ((
        "bleach bypass", "bleach bypass film", "gritty war film", "desaturated hard film look", "silver retention",
        "gritty and desaturated", "harsh desaturated film", "washed out war movie", "cold gritty film",
        "hard silvery film",
    ), ("saving private ryan", "fincher's se7en")),
    "sepia": ((
        "sepia photo", "sepia", "photograph from 1900", "old brown photograph", "antique photo",
        "faded sepia portrait", "victorian photograph", "brown toned photo", "old family photo",
        "vintage sepia picture",
    ), ("a daguerreotype", "tintype")),
    "moonlight": ((
        "moonlight", "moonlit night", "day for night", "blue moonlight", "under the full moon", "night scene",
        "blue night", "at night under the moon", "cold moonlit scene", "midnight blue light",
    ), ("nocturne", "lunar glimmer")),
    "blockbuster": ((
        "blockbuster colours", "teal and orange", "teal and orange grade", "hollywood colour grade",
        "action movie colours", "modern movie look", "big budget film look", "cinema colour grading",
        "orange skin and teal shadows", "cinematic teal and orange",
    ), ("michael bay", "transformers trailer")),
    "stained_glass": ((
        "stained glass", "stained glass window", "church window", "cathedral window", "coloured glass panes",
        "leaded glass", "gothic glass window", "panes of coloured glass", "glass art window",
        "medieval stained glass",
    ), ("tiffany lamp", "a chapel oculus")),
    "mosaic": ((
        "mosaic", "roman mosaic", "stone mosaic", "byzantine mosaic", "made of small stones", "tile mosaic",
        "mosaic floor", "little coloured tiles", "ceramic mosaic", "antique mosaic",
    ), ("tesserae", "gaudí trencadís")),
    "pixel_art": ((
        "pixel art", "retro game", "16 bit game", "pixelated", "blocky pixels", "old arcade game", "square pixels",
        "low resolution game", "pixels", "pixel graphics", "pixelated picture",
    ), ("minecraft", "nintendo sprites")),
    "eight_bit": ((
        "8-bit handheld console", "8 bit game", "green handheld screen", "four shades of green",
        "old handheld game", "8-bit", "portable console from 1989", "8 bit monochrome screen",
        "handheld console graphics", "pocket game console",
    ), ("nokia snake", "tamagotchi lcd")),
    "paper_cut": ((
        "paper cut-out", "paper cut", "layered paper", "cut paper collage", "layers of coloured paper",
        "papercraft", "paper art", "made of cut paper", "paper collage with shadows", "cut-out paper layers",
    ), ("origami", "kirigami")),
    "clay": ((
        "clay figure", "clay animation", "modelling clay", "made of clay", "claymation",
        "clay sculpture in colour", "stop motion clay", "soft clay model", "molded from coloured clay",
        "clay puppet",
    ), ("plasticine", "aardman studios")),
    "embroidery": ((
        "embroidery", "embroidered", "made of thread", "stitched picture", "satin stitch embroidery",
        "needle and thread", "embroidered on linen", "thread stitches", "sewn picture", "hand stitched embroidery",
    ), ("gobelin", "crochet wool")),
    "marble": ((
        "marble statue", "white marble", "carved marble sculpture", "greek statue", "stone statue", "marble bust",
        "white stone sculpture", "roman marble statue", "sculpture in marble", "statue of white stone",
    ), ("michelangelo's david", "alabaster carrara")),
    "bronze": ((
        "bronze statue", "bronze sculpture", "cast metal statue", "bronze bust", "metal statue with green patina",
        "cast in bronze", "old bronze", "bronze figure", "golden brown metal statue", "polished bronze",
    ), ("rodin", "brass verdigris")),
    "cartoon": ((
        "cartoon", "flat colours with black outlines", "saturday morning cartoon", "cartoon character",
        "drawn cartoon with bold outlines", "american cartoon", "cartoon with thick contours", "funny cartoon",
        "colourful cartoon", "tv cartoon", "comic cartoon character",
    ), ("the simpsons", "disney mickey")),
    "anime": ((
        "anime", "cel shaded anime", "anime character", "japanese animation", "cel animation", "anime film",
        "cel shading", "animated anime series", "anime movie still", "cel shaded",
    ), ("studio ghibli", "miyazaki")),
    "storybook": ((
        "storybook illustration", "children's book illustration", "picture book", "fairy tale illustration",
        "cosy storybook", "illustrated children's book", "warm picture book drawing", "bedtime story illustration",
        "old picture book", "fairy tale book",
    ), ("beatrix potter", "winnie the pooh")),
    "original": ((
        "original", "no effect", "the original video", "unchanged", "leave it as it is", "no style",
        "just the camera", "normal", "without any effect", "raw camera picture", "as it is",
        "do not change anything", "nothing", "none", "no filter", "off", "natural",
    ), ("disabled", "untouched", "genuine feed")),
}  # fmt: skip
