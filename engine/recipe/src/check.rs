//! The recipe against its schemas: every value, every key, all problems at once.

use super::{
    aliases::Alias,
    component::FAMILIES,
    mismatch::{not_among, wrong_type},
    node::{Content, Entry, Node},
    paths,
    schema::Schema,
    source::{Findings, Origin, RecipeText},
};
use framework_base::Problem;
use framework_base::suggest::{either, nearest};

/// Checks values and makes paths absolute on the way.
pub(super) struct Checker<'a> {
    pub(super) source: &'a RecipeText,
    pub(super) found: Findings,
    /// Keys of all tables, with the table (empty: the recipe), for keys that are in the wrong one.
    pub(super) homes: Vec<(String, String)>,
}

impl Checker<'_> {
    /// Notes a problem.
    pub(super) fn add(&mut self, origin: Origin, key: &str, problem: Problem) {
        self.found.add(self.source, origin, key, problem);
    }

    /// Notes that there is no such plugin; the catalog's sentence may go on with advice on further lines.
    pub(super) fn no_plugin(&mut self, origin: Origin, table: &str, sentence: &str) {
        let mut lines = sentence.lines().map(str::trim);
        let problem = Problem::new(lines.next().unwrap_or_default());
        let advice: Vec<_> = lines.collect();
        let help = (!advice.is_empty()).then(|| advice.join("\n    "));
        self.add(origin, &join(table, "plugin"), Problem { help, ..problem });
    }

    /// Checks one value.
    pub(super) fn value(&mut self, node: &mut Node, schema: Schema, key: &str) {
        let branches = schema.branches();
        let mut fitting: Vec<_> = branches.iter().copied().filter(|b| b.accepts(node)).collect();
        if fitting.is_empty()
            && let Some(raw) = self.source.raw(node.origin)
        {
            // `--set name=42` is a string where only a string will do
            let text = Node { origin: node.origin, content: Content::Text(raw.to_owned()) };
            fitting = branches.iter().copied().filter(|b| b.accepts(&text)).collect();
            if !fitting.is_empty() {
                *node = text;
            }
        }
        match fitting.as_slice() {
            [] => {
                let problem = wrong_type(node, schema, key);
                self.add(node.origin, key, problem);
            }
            [one] => self.branch(node, *one, schema, key),
            many => self.best(node, many, schema, key),
        }
    }

    /// One of several schemas of the same type: the one that a tag selects, or else the one that fits best.
    fn best(&mut self, node: &mut Node, branches: &[Schema], whole: Schema, key: &str) {
        let mut branches = branches.to_vec();
        if let Some((tag, choices)) = tag(&branches)
            && let Some(given) = node.get(tag)
        {
            branches.retain(|b| tag_values(*b, tag).is_some_and(|v| given.text().is_some_and(|g| v.contains(&g))));
            if branches.is_empty() {
                let place = given.origin;
                let problem = not_among(given, &choices, None);
                return self.add(place, &join(key, tag), problem);
            }
        }
        let mut best: Option<(Node, Findings)> = None;
        for branch in branches {
            let mut copy = node.clone();
            let before = std::mem::take(&mut self.found);
            self.branch(&mut copy, branch, whole, key);
            let found = std::mem::replace(&mut self.found, before);
            if best.as_ref().is_none_or(|(_, fewest)| found.len() < fewest.len()) {
                best = Some((copy, found));
            }
        }
        if let Some((checked, found)) = best {
            *node = checked;
            self.found.append(found);
        }
    }

    /// A value of the right type; `whole` is what the messages say was expected.
    fn branch(&mut self, node: &mut Node, schema: Schema, whole: Schema, key: &str) {
        let origin = node.origin;
        if let Some(n) = node.number() {
            if !schema.in_range(n) {
                let expected = schema.range().unwrap_or_else(|| "a finite number".into());
                let found = node.describe().replace("the integer ", "").replace("the number ", "");
                let greedy = key == "generate.temperature" && n == 0.0;
                let help = greedy.then(|| "plugin = \"greedy\" takes the likeliest token every time".to_owned());
                self.add(origin, key, Problem { help, ..Problem::new(format!("must be {expected}, but is {found}")) });
            }
            return;
        }
        match &mut node.content {
            Content::Text(text) => match schema.choices() {
                Some(choices) if !choices.contains(&text.as_str()) => {
                    let problem = not_among(node, &choices, Some(whole));
                    self.add(origin, key, problem);
                }
                None if schema.text("format") == Some("path") => {
                    let what = whole.text("x-path");
                    match paths::resolve(self.source, origin, text, what) {
                        Ok(path) => *text = path.to_string_lossy().into_owned(),
                        Err(problem) => self.add(origin, key, problem),
                    }
                }
                _ => {}
            },
            Content::List(elements) => {
                self.count(elements.len(), origin, schema, key);
                for (i, element) in elements.iter_mut().enumerate() {
                    if let Some(schema) = schema.element(i) {
                        self.value(element, schema, &join(key, &i.to_string()));
                    }
                }
            }
            Content::Table(entries) => {
                let others = schema.others();
                self.table(entries, origin, &[schema], others, key);
            }
            _ => {}
        }
    }

    fn count(&mut self, count: usize, origin: Origin, schema: Schema, key: &str) {
        let limit = |keyword| schema.get(keyword).and_then(|v| v.as_u64());
        let (min, max) = (limit("minItems"), limit("maxItems"));
        let expected = match (min, max) {
            (Some(a), Some(b)) if a == b => format!("{a}"),
            (Some(a), _) if (count as u64) < a => format!("at least {a}"),
            (_, Some(b)) => format!("at most {b}"),
            _ => return,
        };
        if min.is_some_and(|a| (count as u64) < a) || max.is_some_and(|b| count as u64 > b) {
            self.add(origin, key, Problem::new(format!("expected {expected} elements, found {count}")));
        }
    }

    /// A table whose keys are those of all `schemas`; of two with the same key, the first counts.
    pub(super) fn table(
        &mut self,
        entries: &mut [Entry],
        origin: Origin,
        schemas: &[Schema],
        others: Option<Schema>,
        key: &str,
    ) {
        let properties: Vec<_> = schemas.iter().flat_map(|s| s.properties()).collect();
        let misspelled = self.keys(entries, &properties, others, key);
        for name in schemas.iter().flat_map(|s| s.required()) {
            if !entries.iter().any(|e| e.name == name)
                && !misspelled.contains(&name)
                && let Some((_, schema)) = properties.iter().find(|(n, _)| *n == name)
            {
                let problem = Problem::new(format!("missing; expected {}", schema.expected()));
                let help = schema.summary().filter(|s| !s.is_empty());
                self.add(origin, &join(key, name), Problem { help, ..problem });
            }
        }
    }

    /// The keys that there are; returns those that unknown ones are most likely misspellings of.
    pub(super) fn keys<'s>(
        &mut self,
        entries: &mut [Entry],
        properties: &[(&'s str, Schema)],
        others: Option<Schema>,
        key: &str,
    ) -> Vec<&'s str> {
        let names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
        let plugin = entries.iter().find(|e| e.name == "plugin").and_then(|e| e.node.text());
        let table = match plugin {
            _ if key.is_empty() => "A recipe".to_owned(),
            Some(plugin) => format!("`{key}` with the plugin `{plugin}`"),
            None => format!("`{key}`"),
        };
        let mut meant = Vec::new();
        for entry in entries.iter_mut() {
            let path = join(key, &entry.name);
            let known = properties.iter().find(|(name, _)| *name == entry.name).map(|(_, schema)| *schema);
            match known.or(others) {
                Some(schema) => self.value(&mut entry.node, schema, &path),
                None => {
                    let near = nearest(&entry.name, names.iter().copied());
                    meant.extend(near);
                    let alias = Alias::of(&entry.name).map(Alias::place);
                    meant.extend(alias.and_then(|(_, key)| names.iter().find(|name| **name == key)));
                    self.unknown(&entry.name, entry.origin, key, near, &table, &names);
                }
            }
        }
        meant
    }

    /// Notes a key that the table at `path` does not have, with advice; `table` is what messages call it.
    pub(super) fn unknown(
        &mut self,
        name: &str,
        origin: Origin,
        path: &str,
        near: Option<&str>,
        table: &str,
        keys: &[&str],
    ) {
        let certain = self.home(name, near.is_none()).or_else(|| {
            // a misspelling of a key that the table has goes before what another tool calls another key
            Alias::of(name).filter(|alias| self.has(alias)).map(|a| a.hint(path, matches!(origin, Origin::Set(_))))
        });
        let near_home = || match near {
            None => self.near_home(name),
            Some(near) => Some(format!("did you mean `{near}`?")),
        };
        let help = certain.clone().or_else(near_home);
        // a list is worth reading if it is short, or if there is nothing better to say
        let longest = if near.is_some() { 12 } else { 40 };
        let list = match keys {
            [] => format!("{table} has no keys"),
            keys => format!("{table} has: {}", keys.join(", ")),
        };
        let wanted = certain.is_none() && (near.is_some() || help.is_none()) && keys.len() <= longest;
        let problem = Problem { help, ..Problem::new("unknown key") };
        self.found.add_listing(self.source, origin, &join(path, name), problem, wanted.then_some(list));
    }

    /// Whether the recipe's plugins have the key that an alias points to.
    fn has(&self, alias: &Alias) -> bool {
        let (table, key) = alias.place();
        let by_plugin = FAMILIES.iter().any(|family| family.key == table && family.default.is_some());
        key == "plugin" || !by_plugin || self.homes.iter().any(|(k, t)| k == key && t == table)
    }

    /// The table that has a key of this very name; the recipe itself counts if `top`.
    fn home(&self, name: &str, top: bool) -> Option<String> {
        let homes: Vec<_> = self.homes.iter().filter(|(k, _)| k == name).map(|(_, table)| table.as_str()).collect();
        let tables: Vec<_> = homes.iter().filter(|t| !t.is_empty()).map(|table| format!("`[{table}]`")).collect();
        match homes.as_slice() {
            [] => None,
            _ if tables.is_empty() && !top => None,
            _ if tables.is_empty() => {
                Some(format!("`{name}` is a key of the recipe itself, outside of any other table"))
            }
            _ => Some(format!("`{name}` is a key of {}", either(&tables))),
        }
    }

    /// A key of another table that has a similar name.
    fn near_home(&self, name: &str) -> Option<String> {
        let near = nearest(name, self.homes.iter().filter(|(_, t)| !t.is_empty()).map(|(k, _)| k.as_str()))?;
        let (key, table) = self.homes.iter().find(|(k, t)| k == near && !t.is_empty())?;
        Some(format!("did you mean `{key}`, a key of `[{table}]`?"))
    }
}

/// The key by which alternatives of a table differ, and its values.
fn tag<'a>(branches: &[Schema<'a>]) -> Option<(&'a str, Vec<&'a str>)> {
    let first = branches.first()?;
    first.properties().into_iter().find_map(|(name, _)| {
        let values: Option<Vec<_>> = branches.iter().map(|b| tag_values(*b, name)).collect();
        Some((name, values?.concat()))
    })
}

fn tag_values<'a>(branch: Schema<'a>, tag: &str) -> Option<Vec<&'a str>> {
    branch.properties().into_iter().find(|(name, _)| *name == tag)?.1.choices()
}

/// `train` and `epochs`: `train.epochs`.
pub(super) fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
