"""Names of the looks in six languages, and which other look stands in where weights do not know one.

A dictionary, not an embedding: the LLM reads English.  Names are written as `request.plain` gives them: lower case,
without accents.  Each look has German, French, Spanish, Japanese and Chinese names, in this order.
"""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """What a look is called."""

    english: str  # what the LLM reads; the first of these, "; " between them
    kin: str  # the looks that may stand in for it, the nearest first
    german: str
    french: str
    spanish: str
    japanese: str
    chinese: str


LOOKS: dict[str, Name] = {
    "pencil": Name(
        "pencil sketch", "charcoal", "bleistift; bleistiftzeichnung; bleistiftskizze",
        "crayon a papier; dessin au crayon; croquis", "dibujo a lapiz; a lapiz; lapiz",
        "鉛筆画; 鉛筆; えんぴつ", "铅笔画; 铅笔; 鉛筆畫; 素描"
    ),
    "charcoal": Name(
        "charcoal drawing", "pencil", "kohlezeichnung; zeichenkohle", "fusain", "carboncillo; carbon",
        "木炭画; 木炭", "炭笔画; 炭笔"
    ),
    "ink_wash": Name(
        "ink wash painting; ink wash; sumi-e; chinese ink", "charcoal watercolour", "tuschemalerei; tusche",
        "lavis; encre de chine", "aguada; tinta china", "水墨画; 墨絵", "水墨画; 水墨"
    ),
    "chalkboard": Name(
        "chalk on a blackboard", "blueprint", "kreidetafel; tafelkreide; kreide; schultafel",
        "tableau noir; craie", "pizarra; tiza", "黒板; チョーク", "黑板; 粉笔画; 粉笔"
    ),
    "blueprint": Name(
        "architect's blueprint", "chalkboard", "blaupause; bauplan", "plan d'architecte; plan bleu",
        "plano azul; plano arquitectonico; cianotipo", "青写真; 設計図; ブループリント", "蓝图; 藍圖"
    ),
    "engraving": Name(
        "vintage engraving", "pencil", "kupferstich; stahlstich; radierung", "gravure", "grabado",
        "銅版画; エングレービング", "铜版画; 雕刻版画"
    ),
    "crosshatch": Name(
        "crosshatching; cross hatching; cross-hatched; pen and ink", "pencil engraving",
        "kreuzschraffur; schraffur; federzeichnung", "hachures; dessin a la plume",
        "sombreado cruzado; plumilla", "クロスハッチング; ペン画", "交叉线; 钢笔画"
    ),
    "crayon": Name(
        "crayon drawing; wax crayon; crayons", "cartoon comic",
        "wachsmalstift; wachsmalkreide; kinderzeichnung", "crayon de cire; dessin d'enfant; craie grasse",
        "crayolas; dibujo infantil; ceras", "クレヨン", "蜡笔画; 蜡笔"
    ),
    "ballpoint": Name(
        "ballpoint pen drawing; ballpoint; biro", "pencil", "kugelschreiber", "stylo a bille", "boligrafo",
        "ボールペン", "圆珠笔"
    ),
    "oil": Name(
        "oil painting; rembrandt; old master", "watercolour", "olgemalde; oelgemaelde; olbild; olmalerei",
        "peinture a l'huile; huile sur toile", "pintura al oleo; oleo", "油絵; 油彩", "油画; 油畫"
    ),
    "impasto": Name(
        "impasto; thick brush strokes; palette knife", "oil", "pastos; spachteltechnik; dicke pinselstriche",
        "empatement; couteau a peindre", "empaste; pinceladas gruesas", "厚塗り; インパスト", "厚涂"
    ),
    "van_gogh": Name(
        "van gogh painting; van gogh; starry night; vincent", "impasto oil", "van gogh; sternennacht",
        "van gogh; nuit etoilee", "van gogh; noche estrellada", "ゴッホ; 星月夜", "梵高; 梵谷; 星夜"
    ),
    "watercolour": Name(
        "watercolour painting; aquarelle", "oil", "aquarell; wasserfarbe; wasserfarben", "aquarelle",
        "acuarela", "水彩画; 水彩", "水彩画; 水彩; 水彩畫"
    ),
    "gouache": Name(
        "gouache painting; gouache; tempera", "watercolour", "gouache; deckfarbe; deckfarben", "gouache",
        "gouache; guache", "ガッシュ", "水粉画; 水粉"
    ),
    "pastel": Name(
        "pastel drawing; soft pastels; pastel", "watercolour", "pastell; pastellkreide; pastellzeichnung",
        "pastel", "pastel; pastel seco", "パステル画; パステル", "粉彩画; 粉彩"
    ),
    "pointillism": Name(
        "pointillism; pointillist; seurat", "pixel_art oil", "pointillismus", "pointillisme; pointilliste",
        "puntillismo", "点描画; 点描", "点彩"
    ),
    "ukiyo_e": Name(
        "japanese woodblock print; ukiyo-e; ukiyo e; hokusai; great wave", "cartoon comic",
        "japanischer holzschnitt; ukiyo-e", "estampe japonaise; ukiyo-e", "estampa japonesa; ukiyo-e",
        "浮世絵; 北斎", "浮世绘; 浮世繪"
    ),
    "expressionist": Name(
        "expressionist painting; expressionist; expressionism; munch; kandinsky", "oil pop_art",
        "expressionismus; expressionistisch; kandinsky", "expressionnisme; expressionniste; kandinsky",
        "expresionismo; expresionista; kandinsky", "表現主義; カンディンスキー", "表现主义; 康定斯基"
    ),
    "comic": Name(
        "comic book", "cartoon", "comicheft; comicbuch; comic", "bande dessinee; bd",
        "historieta; tebeo; comic", "アメコミ; コミック", "美漫; 漫画书"
    ),
    "manga": Name(
        "manga; manga page; screentone", "comic cartoon", "manga", "manga", "manga", "漫画; マンガ",
        "日漫; 黑白漫画; 漫畫"
    ),
    "halftone": Name(
        "halftone; halftone dots", "risograph comic", "halbton; rasterpunkte; rasterdruck",
        "trame; demi-teinte", "semitono; trama de puntos", "網点; ハーフトーン", "半色调; 网点"
    ),
    "risograph": Name(
        "risograph print", "pop_art", "risographie; risodruck", "risographie", "risografia", "リソグラフ",
        "孔版印刷; 理想科学印刷"
    ),
    "woodcut": Name(
        "woodcut; woodblock; linocut", "engraving", "holzschnitt; linolschnitt",
        "gravure sur bois; xylographie; linogravure", "xilografia; grabado en madera; linograbado",
        "木版画; 版画", "木刻版画; 木刻; 版画"
    ),
    "newspaper": Name(
        "newspaper photo; newspaper; newsprint", "risograph engraving", "zeitungsfoto; zeitung; zeitungsdruck",
        "journal imprime; photo de journal; papier journal", "periodico; foto de periodico", "新聞; 新聞写真",
        "报纸; 報紙"
    ),
    "stencil": Name(
        "stencil graffiti; stencil; graffiti; banksy", "pop_art", "schablone; schablonen; graffiti",
        "pochoir; graffiti", "plantilla; estarcido; grafiti", "ステンシル; グラフィティ", "模板涂鸦; 涂鸦"
    ),
    "pop_art": Name(
        "pop art poster; warhol; marilyn", "risograph", "pop-art; popart", "pop art", "arte pop",
        "ポップアート", "波普艺术; 波普"
    ),
    "noir": Name(
        "film noir; black and white; humphrey bogart", "charcoal",
        "schwarzweiss; schwarz-weiss; schwarzweissfilm", "noir et blanc; film noir",
        "cine negro; blanco y negro", "白黒; モノクロ; フィルムノワール", "黑白电影; 黑白; 黑色电影"
    ),
    "golden_hour": Name(
        "golden hour", "original", "goldene stunde; abendsonne; sonnenuntergang",
        "heure doree; coucher de soleil; heure d'or", "hora dorada; atardecer; puesta de sol",
        "ゴールデンアワー; 夕焼け; 夕暮れ", "黄金时刻; 日落; 夕阳"
    ),
    "cyberpunk": Name(
        "cyberpunk city at night", "neon", "cyberpunk", "cyberpunk", "ciberpunk; cyberpunk", "サイバーパンク",
        "赛博朋克; 賽博龐克"
    ),
    "neon": Name(
        "neon outlines", "cyberpunk", "neonlicht; neonrohren; leuchtreklame", "neon; lumiere neon",
        "luces de neon; neon", "ネオン", "霓虹灯; 霓虹"
    ),
    "night_rain": Name(
        "rainy night street; night rain; rainy night", "cyberpunk noir",
        "regennacht; regnerische nacht; regen bei nacht", "nuit pluvieuse; pluie la nuit",
        "noche lluviosa; lluvia nocturna", "雨の夜", "雨夜"
    ),
    "infrared": Name(
        "infrared film; infrared; aerochrome", "thermal", "infrarot; infrarotfilm", "infrarouge", "infrarrojo",
        "赤外線写真; 赤外線", "红外线; 红外"
    ),
    "thermal": Name(
        "thermal camera", "infrared", "warmebild; waermebild; warmebildkamera",
        "camera thermique; image thermique; thermique", "camara termica; termica; termografia",
        "サーモグラフィー; サーモグラフィ; 熱画像", "热成像; 熱成像"
    ),
    "night_vision": Name(
        "night vision", "thermal", "nachtsicht; nachtsichtgerat", "vision nocturne", "vision nocturna",
        "暗視; ナイトビジョン", "夜视; 夜視"
    ),
    "vhs": Name(
        "vhs tape; vhs; video tape; camcorder", "cyberpunk", "vhs; videokassette; videoband",
        "vhs; cassette video", "vhs; cinta de video", "ビデオテープ; vhs", "录像带; vhs"
    ),
    "super8": Name(
        "super 8 film; super 8; super8; home movie", "golden_hour", "super 8; super-8; schmalfilm",
        "super 8; super-8", "super 8; super-8", "8ミリフィルム; スーパー8", "超8; 老电影胶片"
    ),
    "bleach_bypass": Name(
        "bleach bypass; silver retention", "noir", "bleichauslassung; bleach bypass",
        "sans blanchiment; bleach bypass", "sin blanqueo; bleach bypass", "銀残し; ブリーチバイパス",
        "漂白旁路; 留银"
    ),
    "sepia": Name(
        "sepia photograph; sepia; daguerreotype", "golden_hour engraving", "sepia; vergilbtes foto",
        "sepia; photo ancienne", "sepia; foto antigua", "セピア", "深褐色; 老照片; 怀旧照片"
    ),
    "moonlight": Name(
        "moonlight; moonlit; day for night", "cyberpunk noir", "mondlicht; mondschein", "clair de lune",
        "luz de luna", "月光; 月明かり", "月光下; 月色"
    ),
    "blockbuster": Name(
        "teal and orange; blockbuster film; blockbuster", "golden_hour", "blockbuster; kinofilm; hollywoodfilm",
        "superproduction; film hollywoodien", "superproduccion; pelicula de hollywood",
        "大作映画; ハリウッド映画", "大片; 好莱坞电影"
    ),
    "stained_glass": Name(
        "stained glass; church window; stained glass window", "comic pop_art",
        "buntglas; glasmalerei; kirchenfenster", "vitrail; vitraux", "vidriera; vitral", "ステンドグラス",
        "彩色玻璃; 花窗玻璃; 彩绘玻璃"
    ),
    "mosaic": Name(
        "mosaic; roman mosaic; tile mosaic", "pixel_art", "mosaik", "mosaique", "mosaico", "モザイク",
        "马赛克; 镶嵌画"
    ),
    "pixel_art": Name(
        "pixel art; minecraft", "mosaic", "pixelkunst; pixelgrafik", "pixel art; pixellise",
        "arte pixel; pixelado", "ドット絵; ピクセルアート", "像素画; 像素艺术; 像素"
    ),
    "eight_bit": Name(
        "8-bit handheld console; 8-bit; 8 bit; game boy", "night_vision pixel_art",
        "8-bit-spiel; handheldkonsole; 8 bit", "console portable; 8 bits", "consola portatil; 8 bits",
        "8ビット; 携帯ゲーム機", "8位; 掌机游戏"
    ),
    "paper_cut": Name(
        "paper cut-out; paper cut; papercut; cut paper; papercraft; origami", "cartoon pop_art",
        "scherenschnitt; papierschnitt", "papier decoupe; decoupage", "papel recortado; recortes de papel",
        "切り絵; 切り紙", "剪纸; 剪紙"
    ),
    "clay": Name(
        "clay figure; claymation; plasticine; modelling clay", "cartoon oil",
        "knete; knetfigur; knetanimation; ton", "pate a modeler; argile", "plastilina; arcilla",
        "粘土; クレイアニメ", "粘土; 黏土; 橡皮泥"
    ),
    "embroidery": Name(
        "embroidery; embroidered; cross stitch; needlework", "pixel_art", "stickerei; gestickt",
        "broderie; brode", "bordado", "刺繍", "刺绣; 刺繡"
    ),
    "marble": Name(
        "marble statue; marble; marble bust", "noir", "marmorstatue; marmor", "statue de marbre; marbre",
        "estatua de marmol; marmol", "大理石; 大理石像", "大理石雕像; 大理石"
    ),
    "bronze": Name(
        "bronze statue; bronze sculpture; bronze", "engraving golden_hour", "bronzestatue; bronzefigur; bronze",
        "statue de bronze; bronze", "estatua de bronce; bronce", "ブロンズ像; 銅像", "青铜雕像; 青铜"
    ),
    "cartoon": Name(
        "cartoon; disney", "comic", "zeichentrick; zeichentrickfilm; karikatur", "dessin anime",
        "dibujos animados; caricatura", "カートゥーン; アメリカンアニメ", "卡通; 动画片"
    ),
    "anime": Name(
        "anime; studio ghibli; ghibli; miyazaki; cel shading", "cartoon", "anime", "anime; animation japonaise",
        "anime; animacion japonesa", "アニメ; ジブリ", "动漫; 動漫; 吉卜力; 日本动画"
    ),
    "storybook": Name(
        "storybook illustration; storybook; picture book; fairy tale", "watercolour cartoon",
        "bilderbuch; marchenbuch; maerchen; kinderbuch", "livre d'images; conte de fees; livre pour enfants",
        "libro de cuentos; cuento de hadas; libro ilustrado", "絵本; おとぎ話", "绘本; 童话; 故事书"
    ),
    "original": Name(
        "original", "", "kein effekt; unverandert; ohne effekt", "sans effet; d'origine; image originale",
        "sin efecto; sin cambios; imagen original", "元の映像; エフェクトなし; オリジナル",
        "原始画面; 无效果; 原图"
    ),
}  # fmt: skip
