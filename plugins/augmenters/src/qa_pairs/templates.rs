//! What questions and explanations say, in Chinese and in English.

use super::Type;

/// The wordings of a type of question. `{about}` is a keyword or a sentence.
pub fn wordings(kind: Type, chinese: bool) -> &'static [&'static str] {
    match (kind, chinese) {
        (Type::Overview, true) => &[
            "《{title}》这篇文章主要讲了什么？",
            "请概括《{title}》的主要内容。",
            "《{title}》想告诉读者什么？",
            "请介绍一下《{title}》这篇文章。",
        ],
        (Type::Overview, false) => &[
            "What is the article \"{title}\" about?",
            "Summarise the article \"{title}\".",
            "What does \"{title}\" want to tell its readers?",
            "Introduce the article \"{title}\".",
        ],
        (Type::Author, true) => &[
            "《{title}》的作者是谁？文章讲了什么？",
            "{author}在《{title}》中写了什么？",
            "请介绍{author}的文章《{title}》。",
        ],
        (Type::Author, false) => &[
            "Who wrote \"{title}\", and what does it say?",
            "What does {author} write in \"{title}\"?",
            "Introduce the article \"{title}\" by {author}.",
        ],
        (Type::Volume, true) => &[
            "{volume}的《{title}》讲了什么？",
            "《{title}》刊登在哪一期？主要内容是什么？",
            "请介绍{volume}刊登的《{title}》。",
        ],
        (Type::Volume, false) => &[
            "What does \"{title}\" in {volume} say?",
            "In which issue did \"{title}\" appear, and what is it about?",
            "Introduce \"{title}\", published in {volume}.",
        ],
        (Type::Keyword, true) => &[
            "《{title}》中的“{about}”是什么意思？",
            "《{title}》怎样谈到“{about}”？",
            "请结合《{title}》解释“{about}”。",
        ],
        (Type::Keyword, false) => &[
            "What does \"{about}\" mean in \"{title}\"?",
            "What does \"{title}\" say about \"{about}\"?",
            "Explain \"{about}\" with the article \"{title}\".",
        ],
        (Type::Sentence, true) => &[
            "《{title}》中说“{about}”，应当怎样理解？",
            "请解释《{title}》里的这句话：“{about}”",
            "“{about}”这句话在《{title}》中有什么作用？",
        ],
        (Type::Sentence, false) => &[
            "How is this sentence from \"{title}\" to be understood: \"{about}\"?",
            "Explain this sentence from \"{title}\": \"{about}\"",
            "What is the role of \"{about}\" in \"{title}\"?",
        ],
    }
}

/// What a keyword means: the first sentence that has it.
pub fn keyword(title: &str, sentence: Option<&str>, chinese: bool) -> String {
    match (sentence, chinese) {
        (Some(sentence), true) => format!("《{title}》中谈到：{sentence}"),
        (Some(sentence), false) => format!("\"{title}\" says: {sentence}"),
        (None, true) => format!("《{title}》的关键词。"),
        (None, false) => format!("A keyword of \"{title}\"."),
    }
}

/// What a sentence means: what it is about.
pub fn sentence(title: &str, keywords: &[&str], chinese: bool) -> String {
    match (keywords.is_empty(), chinese) {
        (false, true) => format!("这句话围绕“{}”，表达了《{title}》的重点。", keywords.join("”“")),
        (false, false) => format!("It is about {} and makes a main point of \"{title}\".", keywords.join(", ")),
        (true, true) => format!("这句话表达了《{title}》的重点。"),
        (true, false) => format!("It makes a main point of \"{title}\"."),
    }
}
