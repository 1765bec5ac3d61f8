"""Whether a text is in English, the one language the text model knows: by its script and its words.

No language is named: what matters is only whether the model's training says anything about the text. A text is refused where
most letters are of another script; where other languages' commonest words outnumber English ones; or where too few of its words
are English. Slang, names and misspellings are common in comments, so short texts get the benefit of the doubt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from .tokenizer import DRAWN_OUT, EMOJI, plain

# The commonest words of other languages in Latin script, without accents.
#
# Some are English words too: the model's list of English words says which (scripts/text/vocabulary.py), and there English wins.

_GERMANIC = """
der das und ist nicht ich du wir ihr sie mit ein eine einen einem einer zu auf fur von dem den des auch sich wie aber noch nur
wenn haben habe hat hast sind bin bist heute immer sehr kein keine mein dein warum danke hallo gut schon mehr nach uber ja nein
mir mich dir dich wird het een niet dat ik je jij hij wij zij van op voor maar ook zijn hebben heeft deze dit waarom omdat geen
mijn jouw bedankt goed heel veel wat och att det som inte jag vi ar pa av har ett varfor tack mycket mig dig och for jeg ikke og
til er med meg deg hvorfor takk hvad hvor hyvaa olen mina sina han ei se on ja mutta etta kiitos miksi tama han sinun minun ole
oli kun niin nyt todella hyvin ekki eg thu vid sem ad thad var takk hvers vegna
"""
_ROMANCE = """
que el los las una por con para como pero mas muy esta este esto eso porque cuando donde quien tengo tiene soy eres somos hola
gracias nada todo siempre nunca tambien bien mi tu su nos les se lo al del estoy feliz quiero puedo hay ser estar hoy ayer le la
les des une est pas je tu il elle nous vous ils elles dans pour sur avec mais plus tres qui ce cette ces mon ton son suis es
sont etre avoir ai avez merci bonjour pourquoi quoi oui toujours jamais tout aussi bien moi toi lui fait c'est j'ai n'est qu'il
d'un d'une l'on il gli di che non sono sei siamo ho hai ha hanno per con una uno della del nel nella questo questa perche come
molto grazie ciao sempre mai anche piu mi ti ci vi si lo sto bene oggi ieri tutto niente cosa quando dove nao uma os as um em na
no dos das para com mais muito voce eu ele ela isso este esta estou obrigado obrigada sempre nunca porque quando onde tem tenho
sao foi ser estar hoje tudo nada meu minha seu sua ate tambem nu este sunt eu tu el ea noi voi ei cu pe pentru dar mai foarte ce
cum unde cand multumesc de la din si sa ca o nu am ai are
"""
_SLAVIC = """
nie jest sie na z do to ze jak ale co bardzo dlaczego dziekuje mam masz jestem jestes byc moj moja twoj tak juz tylko jeszcze
wszystko dzisiaj ne je jsem jsi neni se ze na co proc dekuji moc ale tak jak kde kdy byl byla mam mas dnes vsechno toto nije sam
si smo ste su da li sto kako gde zasto hvala vrlo danas sve moj moja ali ili od za kad som nie sme ste preco dakujem velmi
"""
_OTHERS = """
bir ve bu ne icin cok degil ben sen biz siz var yok ama gibi daha mi mu neden tesekkurler bugun her sey benim senin evet hayir
iyi nasil hogy nem egy az es van vagyok azt mert miert koszonom nagyon meg csak mint ha is volt lesz de minden ini itu yang dan
di ke dari tidak saya aku kamu dia kami kita untuk dengan sangat terima kasih kenapa bukan sudah akan ada bisa hari ako ikaw
siya kami tayo hindi ang ng mga sa ay bakit salamat napaka talaga lang naman ito iyon khong la toi ban va cua co nhung rat cam
on tai sao cho duoc mot nay mimi wewe sisi ni na ya wa kwa sana asante kwa nini hapana ndiyo leo es un nav ir man tu mes jus
kodel labai aciu yra kad bet kaip ma sa ta meie teie ei ole miks aitah vaga
"""
FOREIGN = frozenset((_GERMANIC + _ROMANCE + _SLAVIC + _OTHERS).split())


ASIDE = re.compile(r"\[(?:NAME|RELIGION)\]|(?:https?://|www\.)\S+|[@#]\w+|\b[ur]/\w+")
"""GoEmotions' masks, links, handles and tags: of no language."""
WRITTEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
EMOTICON = re.compile(
    r"[:;=8xX][-o*'\u2019]?[()\[\]DPpOoSs/\\|3<>*]|[()\[\]D][-o*']?[:;=]|<3|\^[_.]*\^|[>-][_.]+[<-]|T_+T|\\o/|\u00af\\"
)

FUNCTION_WORDS = frozenset(
    "the a an and or but if of to in on at by for from with as is are was were be been am i you he she it we they me him "
    "her us them my your his its our their this that these those not no do does did have has had will would can could "
    "should so what who how why when where which there here all any some just like don't i'm it's that's you're can't "
    "didn't doesn't isn't won't i've i'll".split()
)
LEAST_ENGLISH = 0.5
"""Share of a text's words that must be English, from MANY words on."""
MANY = 4


def written_words(text: str) -> list[str]:
    """The words of `text` as they are written, without what is of no language."""
    return WRITTEN.findall(ASIDE.sub(" ", text))


def says_nothing(text: str) -> bool:
    """Whether there is neither a letter or digit, nor an emoji or emoticon."""
    return not (any(map(str.isalnum, text)) or EMOJI.search(text) or EMOTICON.search(text))


def is_english(words: list[str], english: Collection[str]) -> bool:
    """Whether a text of these words (as written, letters only inside) is English, or too short to be told otherwise.

    `english` holds known words as `tokenizer.plain` gives them; a word in it is English, whatever else it is. No words at all (an
    emoji, a number) is fine.
    """
    letters = [letter for word in words for letter in word if letter.isalpha()]
    if not letters:
        return True
    if 2 * sum(_latin(letter) for letter in letters) < len(letters):
        return False
    words = [word.replace("\u2019", "'") for word in words]
    read = [plain(word) for word in words]
    known = [_known(word, english) for word in read]
    foreign = [word in FOREIGN or not written.isascii() for word, written in zip(read, words, strict=True)]
    if len(read) < MANY:
        telling = sum(there and not ours for there, ours in zip(foreign, known, strict=True))
        return sum(known) > telling or not telling and (len(read) < MANY - 1 or any(known))
    accented = sum(not word.isascii() for word in words)
    elsewhere = accented + sum(
        word in FOREIGN and not ours and written.isascii() for word, ours, written in zip(read, known, words, strict=True)
    )
    ours = sum(word in FUNCTION_WORDS and written.isascii() for word, written in zip(read, words, strict=True))
    return elsewhere <= ours and sum(known) >= LEAST_ENGLISH * len(read)


def _known(word: str, english: Collection[str]) -> bool:
    return any(form in english for form in (word, word.split("'")[0], DRAWN_OUT.sub(r"\1", word), DRAWN_OUT.sub(r"\1\1", word)))


def _latin(letter: str) -> bool:
    return (
        letter.isascii() or unicodedata.name(letter, "").startswith("LATIN") or "MATHEMATICAL" in unicodedata.name(letter, "")
    )
