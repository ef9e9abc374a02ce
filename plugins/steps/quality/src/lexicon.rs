//! The few words that have a role of their own. English, with the negations of German and Chinese; in other
//! languages these devices find less, and never anything wrong because of it.

/// Words that carry no topic.
const STOP: &[&str] = &[
    "a", "about", "above", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as",
    "at", "be", "because", "been", "before", "being", "below", "between", "both", "but", "by",
    "can", "could", "did", "do", "does", "doing", "down", "during", "each", "few", "for", "from",
    "further", "had", "has", "have", "having", "he", "her", "here", "hers", "him", "his", "how",
    "i", "if", "in", "into", "is", "it", "it's", "its", "itself", "just", "may", "me", "might",
    "more", "most", "must", "my", "nor", "of", "off", "on", "once", "one", "only", "or", "other",
    "our", "ours", "out", "over", "own", "s", "same", "she", "should", "so", "some", "such",
    "than", "that", "the", "their", "theirs", "them", "then", "there", "these", "they", "this",
    "those", "through", "to", "too", "under", "until", "up", "upon", "us", "very", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will",
    "with", "would", "you", "your", "yours", "yet", "的", "了", "是",
];

/// Words of questions that hardly say what they are about.
const WEAK: &[&str] = &[
    "ask",
    "become",
    "becomes",
    "big",
    "bigger",
    "biggest",
    "call",
    "called",
    "change",
    "changes",
    "come",
    "comes",
    "day",
    "days",
    "difference",
    "different",
    "done",
    "find",
    "full",
    "get",
    "gets",
    "give",
    "gives",
    "go",
    "goes",
    "good",
    "happen",
    "happens",
    "keep",
    "keeps",
    "kind",
    "kinds",
    "know",
    "leave",
    "less",
    "like",
    "little",
    "long",
    "look",
    "looking",
    "looks",
    "main",
    "make",
    "makes",
    "many",
    "mean",
    "means",
    "much",
    "need",
    "needs",
    "new",
    "number",
    "often",
    "old",
    "people",
    "place",
    "reach",
    "say",
    "says",
    "stop",
    "take",
    "takes",
    "tell",
    "thing",
    "things",
    "three",
    "time",
    "times",
    "two",
    "use",
    "used",
    "uses",
    "want",
    "way",
    "ways",
    "work",
    "works",
    "world",
    "year",
    "years",
];

/// What a text says to whoever makes a report of it, and not of its subject.
const ORDERS: &[&str] = &[
    "answer only with",
    "cite only",
    "disregard all",
    "disregard the",
    "do not cite",
    "ignore all",
    "ignore previous",
    "ignore the above",
    "must cite",
    "only source that you",
    "previous instructions",
    "reply that",
    "reply with",
    "respond only",
    "should cite",
    "system prompt",
    "the user asked",
    "your instructions",
];

/// Words that turn a statement round.
const NEGATIONS: &[&str] = &[
    "aren't",
    "can't",
    "cannot",
    "couldn't",
    "didn't",
    "doesn't",
    "don't",
    "hadn't",
    "hardly",
    "hasn't",
    "haven't",
    "isn't",
    "kein",
    "keine",
    "keinen",
    "lacks",
    "neither",
    "never",
    "nicht",
    "nie",
    "no",
    "none",
    "not",
    "nothing",
    "shouldn't",
    "wasn't",
    "weren't",
    "without",
    "won't",
    "wouldn't",
];

/// The same in Chinese, where every ideograph is a word.
const NEGATIONS_HAN: &[&str] = &["不", "没", "未", "無"];

/// Words that exclude each other about the same thing.
const OPPOSITES: &[(&str, &str)] = &[
    ("above", "below"),
    ("accept", "reject"),
    ("accepts", "rejects"),
    ("allowed", "forbidden"),
    ("allows", "forbids"),
    ("always", "never"),
    ("approved", "rejected"),
    ("cheaper", "dearer"),
    ("decrease", "increase"),
    ("decreased", "increased"),
    ("decreases", "increases"),
    ("disabled", "enabled"),
    ("effective", "ineffective"),
    ("failed", "succeeded"),
    ("fall", "rise"),
    ("falls", "rises"),
    ("faster", "slower"),
    ("fell", "rose"),
    ("higher", "lower"),
    ("improves", "worsens"),
    ("legal", "illegal"),
    ("safe", "unsafe"),
    ("supported", "unsupported"),
    ("true", "false"),
];

/// What ends with a full stop and ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "al.", "approx.", "cf.", "co.", "dr.", "e.g.", "ed.", "eq.", "etc.", "fig.", "i.e.", "inc.",
    "jr.", "ltd.", "mr.", "mrs.", "ms.", "no.", "op.", "p.", "pp.", "prof.", "sec.", "st.", "vol.",
    "vs.",
];

/// Whether a word carries no topic.
pub(crate) fn is_stop(word: &str) -> bool {
    STOP.contains(&word)
}

/// Whether a word of a question hardly says what it is about.
pub(crate) fn is_weak(word: &str) -> bool {
    WEAK.contains(&word)
}

/// Whether a sentence gives orders to whoever makes a report of it.
pub(crate) fn gives_orders(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    ORDERS.iter().any(|order| lower.contains(order))
}

/// Whether a word turns a statement round.
pub(crate) fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word) || NEGATIONS_HAN.contains(&word)
}

/// Returns the word that excludes a word.
pub(crate) fn opposite(word: &str) -> Option<&'static str> {
    OPPOSITES.iter().find_map(|(a, b)| match word {
        word if word == *a => Some(*b),
        word if word == *b => Some(*a),
        _ => None,
    })
}

/// Whether a piece of text ends with an abbreviation or an initial, so that the sentence goes on.
pub(crate) fn goes_on(piece: &str) -> bool {
    let last = piece.trim_end().rsplit(|c: char| c.is_whitespace() || c == '(').next();
    let last = last.unwrap_or_default();
    let initial = last.len() == 2
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.ends_with('.');
    initial || ABBREVIATIONS.iter().any(|known| last.eq_ignore_ascii_case(known))
}
