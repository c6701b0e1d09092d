//! `--set path.to.key=value`.

use super::{
    node::{Content, Entry, Node},
    source::Origin,
};
use framework_base::Problem;
use toml::de::DeValue;

/// Puts the value of override number `index` into the recipe, making tables and lists on the way.
pub(super) fn apply(root: &mut Node, index: usize, text: &str) -> Result<(), Problem> {
    let origin = Origin::Set(index);
    let Some((path, value)) = text.split_once('=') else {
        return Err(Problem::new("expected a key and a value").help("for example --set train.batch_size=4"));
    };
    let parts: Vec<_> = path.trim().split('.').map(str::trim).collect();
    if parts.contains(&"") {
        return Err(Problem::new("a key is empty").help("for example --set train.batch_size=4"));
    }
    *slot(root, &parts, origin)? = parse(value, origin)?;
    Ok(())
}

/// TOML, or where it is not, the characters themselves.
fn parse(text: &str, origin: Origin) -> Result<Node, Problem> {
    let trimmed = text.trim();
    let plain = || Node { origin, content: Content::Text(text.to_owned()) };
    match DeValue::parse(trimmed) {
        Ok(value) if !value.get_ref().is_datetime() => {
            let mut too_large = Vec::new();
            let node = Node::from_toml(&value, &mut too_large);
            if !too_large.is_empty() {
                return Err(Problem::new("the integer is too large"));
            }
            Ok(node.moved(origin))
        }
        // a list, a table or a quoted string was meant; Jinja is not
        Err(e)
            if trimmed.starts_with(['[', '{', '"', '\''])
                && !["{{", "{%", "{#"].iter().any(|j| trimmed.starts_with(j)) =>
        {
            Err(Problem::new(format!("the value is not TOML: {}", e.message())))
        }
        _ => Ok(plain()),
    }
}

/// The place that a path leads to.
fn slot<'a>(root: &'a mut Node, parts: &[&str], origin: Origin) -> Result<&'a mut Node, Problem> {
    let mut node = root;
    for (i, part) in parts.iter().enumerate() {
        let so_far = || parts[..i].join(".");
        let found = node.describe();
        node = match &mut node.content {
            Content::Table(entries) => {
                let at = entries.iter().position(|e| e.name == *part).unwrap_or_else(|| {
                    let is_list = parts.get(i + 1).is_some_and(|next| next.parse::<usize>().is_ok());
                    let content = if is_list { Content::List(Vec::new()) } else { Content::Table(Vec::new()) };
                    entries.push(Entry { name: (*part).to_owned(), origin, node: Node { origin, content } });
                    entries.len() - 1
                });
                &mut entries[at].node
            }
            Content::List(elements) => {
                let count = elements.len();
                let Ok(number) = part.parse::<usize>() else {
                    return Err(Problem::new("is a list; its elements are counted from 0")
                        .key(so_far())
                        .help(format!("did you mean {}.0.{}?", so_far(), parts[i..].join("."))));
                };
                if number > count {
                    let there = if count == 1 { "is 1 element".into() } else { format!("are {count} elements") };
                    return Err(Problem::new(format!("there is no element {number}: there {there}, counted from 0"))
                        .key(so_far()));
                }
                if number == count {
                    elements.push(Node::table(origin));
                }
                &mut elements[number]
            }
            _ => return Err(Problem::new(format!("is {found}, not a table")).key(so_far())),
        };
    }
    Ok(node)
}

impl Node {
    /// The same value, all of it from another place.
    fn moved(mut self, origin: Origin) -> Node {
        self.origin = origin;
        match &mut self.content {
            Content::List(elements) => elements.iter_mut().for_each(|e| *e = e.clone().moved(origin)),
            Content::Table(entries) => {
                for entry in entries {
                    entry.origin = origin;
                    entry.node = entry.node.clone().moved(origin);
                }
            }
            _ => {}
        }
        self
    }
}
