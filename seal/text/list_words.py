"""Words by which an answer says that it lists nothing, refuses, or talks instead of listing.

A few of each in the languages in which models answer; whole words, in lower case.
"""

from __future__ import annotations

import re


def _either(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


def _phrases(*texts: str) -> frozenset[str]:
    return frozenset(phrase for text in texts for phrase in text.split("|"))


# Said alone: no object is wanted.
NOTHING = _phrases(
    "none|nothing|no|n/a|na|null|nil|empty|not applicable|none needed|none of them|no object",
    "no objects|no specific objects|nothing specific|nothing in particular",
    "keine|keines|nichts|nein|rien|aucun|aucune|non|ninguno|ninguna|nada|nenhum|nenhuma",
    "nessuno|nessuna|niente|нет|ничего|无|没有|不需要|無|なし|ありません|特になし|없음|없습니다",
    "لا شيء|لا يوجد|لا|कोई नहीं|कुछ नहीं",
)
# How a sentence that wants no object begins.
NOTHING_BEGINS = _either(
    r"there (?:is|are) (?:no|none)\b",
    r"no (?:specific |particular |other )?(?:objects?|items?|things?)\b",
    r"none of\b",
    r"nothing (?:needs?|has|else)\b",
    r"keine (?:objekte|gegenstände)\b",
    r"aucun objet\b",
    r"ningún objeto\b",
    r"无需|不需要|没有(?:物体|需要)",
    r"لا توجد\b",
)
REFUSES = _either(
    r"\b(?:sorry|apologi[sz]e|unfortunately|as an ai|language model)\b",
    r"\b(?:can ?not|can't|unable to|could ?n[o']t|don't|do not) (?:see|view|access|help|assist"
    r"|identify|determine|answer|provide|comply|process|analy[sz]e)\b",
    r"tut mir leid|entschuldigung|désolée?|lo siento|desculpe|mi dispiace|извините|простите",
    "抱歉|对不起|對不起|无法|無法|申し訳|すみません|죄송|آسف|عذرا|عذرًا|क्षमा",
)
# Words of sentences, not of names; none that names a thing in another language: `son`, `can`.
TALKS = _words(
    "i you we they it he she me your this these those there here is are was were am be could",
    "should would will must may might do does did has have had need needs let please sure okay",
    "because since so therefore however if what how why when shows show depicts contains",
    "ich du wir sie es ist sind könnte muss müssen wird habe weil",
    "je tu nous vous il elle est sont était peut faut doit parce",
    "yo nosotros es están está puede debe necesito porque",
    "это есть был нужно нужен надо видно потому يجب يمكن أحتاج نحتاج ليس",
)
RELATIVE = _words("that which who whose where")  # behind these, a name may talk
# The same where words are not told apart by spaces.
TALKS_WITHIN = _either(
    "我|你|需要|应该|應該|可以|图中|圖中|图片|圖片|问题|問題|因为|因為",
    "です|ます|ください|私|습니다|입니다|세요",
)
PICTURE = _either(
    r"(?:(?:the|a|this|whole|entire|full|provided|given|overall) )*"
    r"(?:image|picture|photo|photograph|scene)",
    "(?:整张|整个|这张)?(?:图片|图像|照片|圖片)",
    "(?:das |ganze[sn]? )*bild|l'image|la imagen|الصورة",
)
# Said of no thing in particular, or in answer to the question instead.
VAGUE = _phrases(
    "red|blue|green|yellow|black|white|brown|gray|grey|purple|pink|left|right|above|below|one|two",
    "all|all of them|all objects|everything|both|them|first|second|third|finally|ok|okay|sure|yes",
    "alles|tout|todo|всё|所有|全部|كل شيء",
)
AND_SO_ON = _phrases("etc|and so on|others|other objects|usw|等|等等")
# What a sentence says before it lists.
LEADS = re.compile(
    r"(?:(?:in order )?to (?:answer|determine|tell|know) [^,:]{1,200}, )?(?:"
    r"(?:the )?(?:following |necessary |relevant |key |main )*(?:objects?|items?|things?)"
    r"(?: [^,.:;]{0,80}?)? (?:is|are|include|includes|would be)"
    r"|(?:i|we|you|one) (?:(?:would |will )?(?:need|want|have) to |would |must |should )"
    r"(?:see|look at|look closely at|zoom in on|examine|inspect|focus on|check|find|locate)"
    r"|(?:i|we|you)(?: would| will)? need(?: a closer (?:look at|view of))?"
    r"|(?:look (?:closely )?at|zoom in on|focus on|find|locate|examine|inspect|check|identify))\s+",
    re.IGNORECASE,
)
# Of a thing, but not the thing.
ATTRIBUTE = re.compile(
    r"^(?:the |exact |actual )*(?:colou?r|material|kind|type|brand|shape|size|number|text|position|"
    r"location|direction|pose|pattern)s? (?:of|on) (?=\S)",
    re.IGNORECASE,
)
# And behind.
TRAILS = re.compile(
    r",? (?:(?:must|need|needs|should|has|have) (?:to )?be (?:seen|viewed|examined|inspected)\b.*"
    r"|(?:more )?(?:closely|clearly|up close)|closer|in (?:more )?detail"
    r"|(?:in|from) the (?:image|picture|photo)"
    r"|to (?:answer|determine|tell|know|see|be able)\b[^,]*)$",
    re.IGNORECASE,
)
ANDS = re.compile(
    r",?\s+(?:and|as well as|und|sowie|et|y|e|и|та|और|ve|en|och)\s+|\s+و\s*"
    r"|以及|和(?![服尚平谐])|と(?=\S)",  # not within the kimono, the monk, peace
    re.IGNORECASE,
)
FIRST_AND = re.compile(r"^\s*(?:and|und|et|y|و)\s+", re.IGNORECASE)  # behind the last comma
