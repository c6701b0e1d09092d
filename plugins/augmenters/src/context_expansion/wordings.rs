//! How context is worded, in Chinese of both scripts and in English.

/// The sentences before a quotation, as a source.
pub const BEFORE: &str = "<before>";
/// The sentences after a quotation, as a source.
pub const AFTER: &str = "<after>";

/// The language of a wording.
#[derive(Clone, Copy)]
pub enum Script {
    Simplified,
    Traditional,
    English,
}

/// What introduces a source: twice in simplified and in traditional Chinese and in English.
const LABELS: &[(&str, [&str; 6])] = &[
    ("title", ["标题：", "篇名：", "標題：", "篇名：", "Title: ", "Headline: "]),
    ("author", ["作者：", "作者是", "作者：", "作者是", "Author: ", "Written by "]),
    ("volume", ["卷期：", "刊于", "卷期：", "刊於", "Volume: ", "Issue: "]),
    ("date", ["日期：", "发表日期：", "日期：", "發表日期：", "Date: ", "Published: "]),
    ("category", ["类别：", "分类：", "類別：", "分類：", "Category: ", "Topic: "]),
    ("keywords", ["关键词：", "主题词：", "關鍵詞：", "主題詞：", "Keywords: ", "Key terms: "]),
    ("key_sentences", ["要点：", "重点句：", "要點：", "重點句：", "Main points: ", "Key sentences: "]),
    ("input", ["输入：", "材料：", "輸入：", "材料：", "Input: ", "Material: "]),
    ("content", ["正文：", "原文：", "正文：", "原文：", "Text: ", "Article: "]),
    (BEFORE, ["上文：", "前文：", "上文：", "前文：", "The text before it: ", "Before it: "]),
    (AFTER, ["下文：", "后文：", "下文：", "後文：", "The text after it: ", "After it: "]),
];

/// What may introduce a source.
pub fn label(source: &str, script: Script) -> Vec<String> {
    let at = match script {
        Script::Simplified => 0,
        Script::Traditional => 2,
        Script::English => 4,
    };
    if let Some((_, labels)) = LABELS.iter().find(|(name, _)| *name == source) {
        return labels[at..at + 2].iter().map(|&label| label.to_owned()).collect();
    }
    let name = source.replace('_', " ");
    let mut chars = name.chars();
    match (script, chars.next()) {
        (Script::English, Some(first)) => vec![format!("{}{}: ", first.to_uppercase(), chars.as_str())],
        _ => vec![format!("{name}：")],
    }
}

impl Script {
    /// Where context and text stand.
    pub fn templates(self) -> &'static [&'static str] {
        match self {
            Self::Simplified => &[
                "以下是背景信息。{context}\n{text}",
                "【背景】{context}\n{text}",
                "{text}\n（{context}）",
                "{text}\n请参考以下信息。{context}",
            ],
            Self::Traditional => &[
                "以下是背景資料。{context}\n{text}",
                "【背景】{context}\n{text}",
                "{text}\n（{context}）",
                "{text}\n請參考以下資料。{context}",
            ],
            Self::English => &[
                "Here is some background. {context}\n{text}",
                "[Background] {context}\n{text}",
                "{text}\n({context})",
                "{text}\nPlease refer to the following. {context}",
            ],
        }
    }

    pub fn title(self, title: &str) -> String {
        match self {
            Self::English => format!("\"{title}\""),
            _ if title.starts_with('《') => title.to_owned(),
            _ => format!("《{title}》"),
        }
    }

    /// A volume as it is quoted: `第3期` for 3.
    pub fn volume(self, volume: &str) -> String {
        match (self, volume.bytes().all(|b| b.is_ascii_digit())) {
            (Self::Simplified | Self::Traditional, true) => format!("第{volume}期"),
            _ => volume.to_owned(),
        }
    }

    /// The context with one more source.
    pub fn add(self, context: &str, label: &str, items: &[String], running: bool) -> String {
        let (between, words) = match self {
            Self::English => (if has_ended(context) { " " } else { "; " }, ", "),
            _ => (if has_ended(context) { "" } else { "；" }, "、"),
        };
        let between = if context.is_empty() { "" } else { between };
        let spaced = items.iter().skip(1).all(|item| item.starts_with(char::is_whitespace))
            || items.iter().rev().skip(1).all(|item| item.ends_with(char::is_whitespace));
        let joiner = match (running, self) {
            (false, _) => words,
            (true, Self::English) if !spaced => " ",
            (true, _) => "",
        };
        format!("{context}{between}{label}{}", items.join(joiner).trim_end())
    }

    /// The context with a mark at its end.
    pub fn ended(self, context: &str) -> String {
        match (has_ended(context), self) {
            (true, _) => context.to_owned(),
            (false, Self::English) => format!("{context}."),
            (false, _) => format!("{context}。"),
        }
    }
}

fn has_ended(text: &str) -> bool {
    text.trim_end_matches(['”', '」', '』', '"', '）', ')']).ends_with(['。', '！', '？', '…', '.', '!', '?', '；'])
}
