//! What is said about a value that does not fit.

use super::{
    node::{Content, Node},
    schema::Schema,
    source::Origin,
};
use framework_base::{
    Problem,
    suggest::{either, nearest},
};

/// A value of a type that is not allowed, with the form that would be.
pub(super) fn wrong_type(node: &Node, schema: Schema, key: &str) -> Problem {
    let problem = Problem::new(format!("expected {}, found {}", schema.expected(), node.describe()));
    Problem { help: rewritten(node, schema, key.rsplit('.').next().unwrap_or(key)), ..problem }
}

/// How the value would have to be written, as far as that can be guessed.
fn rewritten(node: &Node, schema: Schema, key: &str) -> Option<String> {
    let branches = schema.branches();
    let takes = |name| branches.iter().any(|b| b.types().contains(&name));
    let only = |name| matches!(branches.as_slice(), [one] if one.types() == [name] && one.choices().is_none());
    Some(match &node.content {
        Content::Table(_) if only("array") && schema.expected() == "a list of tables" => {
            format!("write [[{key}]]: there can be several")
        }
        Content::List(_) if only("object") => format!("write [{key}]: there is only one"),
        Content::Text(s) if is_number(s, &branches) => format!("without the quotation marks: {key} = {s}"),
        Content::Text(s) if takes("boolean") && matches!(s.as_str(), "true" | "false") => {
            format!("without the quotation marks: {key} = {s}")
        }
        Content::Text(s) if takes("array") => format!("in brackets: {key} = [{s:?}]"),
        Content::Integer(_) | Content::Float(_) | Content::Bool(_) if only("string") => {
            format!("in quotation marks: {key} = \"{}\"", node.to_json())
        }
        Content::Table(_) | Content::List(_) => return None,
        _ if only("object") && !branches[0].required().is_empty() => {
            let keys: Vec<_> = branches[0].required().iter().map(|k| format!("{k} = …")).collect();
            format!("for example {key} = {{ {} }}", keys.join(", "))
        }
        _ => return None,
    })
}

fn is_number(text: &str, branches: &[Schema]) -> bool {
    let integer = text.parse().ok().map(Content::Integer);
    let float = text.parse().ok().filter(|f: &f64| f.is_finite()).map(Content::Float);
    let mut nodes = integer.into_iter().chain(float).map(|content| Node { origin: Origin::Default, content });
    nodes.any(|node| branches.iter().any(|b| b.accepts(&node)))
}

/// A value that an enumeration does not have; `whole` is what may stand there altogether.
pub(super) fn not_among(node: &Node, choices: &[&str], whole: Option<Schema>) -> Problem {
    let listed = || either(&choices.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>());
    let expected = whole.map_or_else(listed, |w| w.expected());
    let given = node.text().map_or_else(|| node.describe(), |text| format!("{text:?}"));
    let near = node.text().and_then(|t| nearest(t, choices.iter().copied()));
    let help = near.map(|c| format!("did you mean {c:?}?"));
    Problem { help, ..Problem::new(format!("expected {expected}, found {given}")) }
}
