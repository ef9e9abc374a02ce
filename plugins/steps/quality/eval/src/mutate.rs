//! What syndication does to a text: ten changes for texts with spaces between words, five for texts
//! without.

use crate::random::Random;

/// A change with its name.
pub type Mutation = (&'static str, fn(&str, &[String], &mut Random) -> String);

/// The changes for texts with spaces between words.
pub const SPACED: [Mutation; 10] = [
    ("wrap", |text, _, random| wrap(text, random)),
    ("replace-5", |text, words, random| replace(text, words, random, 5)),
    ("replace-10", |text, words, random| replace(text, words, random, 10)),
    ("replace-20", |text, words, random| replace(text, words, random, 20)),
    ("ocr-2", |text, _, random| misread(text, random)),
    ("drop-25", |text, _, random| drop_paragraphs(text, random)),
    ("cut-70", |text, _, _| cut_words(text, 70)),
    ("cut-40", |text, _, _| cut_words(text, 40)),
    ("shuffle", |text, _, random| shuffle(text, random)),
    ("respace", |text, _, random| respace(text, random)),
];

/// The changes for texts without; `words` are single characters for these.
pub const UNSPACED: [Mutation; 5] = [
    ("wrap", |text, _, random| wrap_unspaced(text, random)),
    ("replace-10", |text, words, random| replace_characters(text, words, random, 10)),
    ("drop-25", |text, _, random| drop_sentences(text, random, "。")),
    ("cut-60", |text, _, _| cut_characters(text, 60)),
    ("shuffle", |text, _, random| shuffle_unspaced(text, random)),
];

const BEFORE: [&str; 4] = [
    "Home News Weather Sport Business Culture Travel Subscribe Sign in",
    "Menu Search Latest Most read Video Podcasts Newsletters My account",
    "Skip to content Front page World Technology Science Opinion Contact",
    "Start Archive Topics Authors Shop Support us Log in Register",
];
const AFTER: [&str; 4] = [
    "Share this article on your favourite network. All rights reserved. Privacy policy and cookies.",
    "Read more stories like this every morning. Terms of use apply. Advertise with us today.",
    "This report was provided by a news agency and has been edited for length and style.",
    "Comments are closed. Related articles can be found below. Follow our channel for updates.",
];

fn wrap(text: &str, random: &mut Random) -> String {
    let part = |parts: &[&'static str], random: &mut Random| *random.pick(parts).unwrap_or(&"");
    format!("{}\n\n{text}\n\n{}", part(&BEFORE, random), part(&AFTER, random))
}

fn wrap_unspaced(text: &str, random: &mut Random) -> String {
    let before = ["首页 新闻 体育 财经 登录", "トップ ニュース 天気 会員登録"];
    let after = ["版权所有。转载请注明出处。", "無断転載を禁じます。お問い合わせはこちら。"];
    let at = random.below(2);
    format!("{}\n{text}\n{}", before.get(at).unwrap_or(&""), after.get(at).unwrap_or(&""))
}

/// Keeps paragraphs, changes single words.
fn by_words(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        paragraph.split_whitespace().map(&mut change).collect::<Vec<_>>().join(" ")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn replace(text: &str, words: &[String], random: &mut Random, percent: usize) -> String {
    by_words(text, |word| {
        let other = random.percent(percent).then(|| random.pick(words)).flatten();
        other.map_or(word, String::as_str).to_owned()
    })
}

fn replace_characters(text: &str, words: &[String], random: &mut Random, percent: usize) -> String {
    let mut changed = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() && random.percent(percent) {
            changed.push_str(random.pick(words).map_or("", String::as_str));
        } else {
            changed.push(c);
        }
    }
    changed
}

/// Reads two characters in a hundred wrongly.
fn misread(text: &str, random: &mut Random) -> String {
    const LIKE: [(char, char); 10] = [
        ('l', '1'),
        ('o', '0'),
        ('e', 'c'),
        ('s', '5'),
        ('n', 'u'),
        ('i', 'j'),
        ('a', 'o'),
        ('t', 'f'),
        ('r', 'n'),
        ('m', 'n'),
    ];
    let misread = |c: char| {
        let like = LIKE.iter().find(|(right, _)| *right == c.to_ascii_lowercase());
        like.map_or('x', |(_, wrong)| *wrong)
    };
    let mut read = |c: char| if c.is_alphanumeric() && random.percent(2) { misread(c) } else { c };
    text.chars().map(&mut read).collect()
}

/// Drops a quarter of the paragraphs, of a text with few of them a quarter of the sentences.
fn drop_paragraphs(text: &str, random: &mut Random) -> String {
    match text.split("\n\n").count() {
        0..4 => drop_sentences(text, random, ". "),
        _ => drop_parts(text, random, "\n\n"),
    }
}

fn drop_sentences(text: &str, random: &mut Random, end: &str) -> String {
    drop_parts(text, random, end)
}

fn drop_parts(text: &str, random: &mut Random, between: &str) -> String {
    let parts: Vec<&str> = text.split(between).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    random.shuffle(&mut order);
    let dropped = order.get(..parts.len().div_ceil(4).min(parts.len() - 1)).unwrap_or_default();
    let kept = parts.iter().enumerate().filter(|(at, _)| !dropped.contains(at));
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join(between)
}

fn cut_words(text: &str, percent: usize) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    words.get(..words.len() * percent / 100).unwrap_or_default().join(" ")
}

fn cut_characters(text: &str, percent: usize) -> String {
    text.chars().take(text.chars().count() * percent / 100).collect()
}

fn shuffle(text: &str, random: &mut Random) -> String {
    let mut sentences: Vec<&str> = text.split(". ").flat_map(|part| part.split("\n\n")).collect();
    random.shuffle(&mut sentences);
    sentences.join(". ")
}

fn shuffle_unspaced(text: &str, random: &mut Random) -> String {
    let mut sentences: Vec<&str> = text.split_inclusive('。').collect();
    random.shuffle(&mut sentences);
    sentences.concat()
}

/// Other letters, other spaces, other lines.
fn respace(text: &str, random: &mut Random) -> String {
    let spaces = [" ", "  ", "\n", "\t", "\u{a0}"];
    let mut changed = String::new();
    for word in text.split_whitespace() {
        if random.percent(30) {
            changed.push_str(&word.to_uppercase());
        } else {
            changed.push_str(word);
        }
        changed.push_str(random.pick(&spaces).unwrap_or(&" "));
    }
    changed
}
