//! The table of operators in the book: every operator is in it, with its shapes and elements.

use super::{
    shapes::{calls, planned},
    *,
};
use framework_core::{features, meta::MetaHost};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../../../../docs/src/reference/operators.md");

struct Row {
    operands: Vec<String>,
    result: String,
    elements: BTreeSet<String>,
}

/// Splits at commas that are in no brackets.
fn parts(text: &str) -> Vec<String> {
    let mut depth = 0;
    let outside = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    text.split(outside).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn table() -> BTreeMap<String, Row> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let elements = parts(cells[5]).into_iter().collect();
        (cells[1].trim_matches('`').to_owned(), Row { operands: parts(cells[3]), result: cells[4].into(), elements })
    };
    rows.map(row).collect()
}

/// `RmsNorm { eps: 1e-5 }` as `rms_norm`.
fn name(op: &Op) -> String {
    let debug = format!("{op:?}");
    let variant = debug.split([' ', '(']).next().unwrap();
    variant.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

/// The sizes that letters of a pattern stand for; what is in front, as `*`.
#[derive(Default)]
struct Sizes {
    letters: BTreeMap<String, usize>,
    front: Vec<Vec<usize>>,
}

impl Sizes {
    /// Whether a shape has a pattern, `[*, n]`.
    fn fits(&mut self, pattern: &str, shape: &[usize]) -> bool {
        let Some(inner) = pattern.find('[').map(|at| pattern[at + 1..].trim_end_matches(']')) else { return true };
        let mut names: Vec<_> = inner.split(", ").collect();
        let mut shape = shape;
        if names[0] == "*" {
            names.remove(0);
            let Some(front) = shape.len().checked_sub(names.len()) else { return false };
            self.front.push(shape[..front].to_vec());
            shape = &shape[front..];
        }
        let same = |(name, size): (&&str, &usize)| *self.letters.entry((*name).into()).or_insert(*size) == *size;
        names.len() == shape.len() && names.iter().zip(shape).all(same)
    }

    fn of(&self, pattern: &str) -> Vec<usize> {
        let mut shape = Vec::new();
        for name in pattern.trim_matches(['[', ']']).split(", ") {
            match name {
                "*" => shape.extend(self.front.iter().fold(Vec::new(), |a, b| broadcast(&a, b))),
                sum => shape.push(sum.split(" + ").map(|n| n.parse().unwrap_or_else(|_| self.letters[n])).sum()),
            }
        }
        shape
    }
}

fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
    (0..rank).map(|i| at(a, i).max(at(b, i))).collect()
}

fn dim(op: &Op, x: &[usize]) -> usize {
    let dim = match op {
        Op::Sum { dim }
        | Op::Mean { dim }
        | Op::Max { dim }
        | Op::ArgMax { dim }
        | Op::Slice { dim, .. }
        | Op::Concat { dim }
        | Op::IndexSelect { dim } => *dim,
        other => panic!("{other:?} has no dimension"),
    };
    (if dim < 0 { x.len() as i64 + dim } else { dim }) as usize
}

/// The shape that the table's result comes to.
fn expected(op: &Op, result: &str, shapes: &[Vec<usize>], sizes: &mut Sizes) -> Vec<usize> {
    let x = shapes[0].clone();
    let changed = |size: usize| {
        let mut shape = x.clone();
        shape[dim(op, &x)] = size;
        shape
    };
    match (result, op) {
        ("same", _) => x,
        ("broadcast", _) => shapes.iter().fold(Vec::new(), |a, b| broadcast(&a, b)),
        ("1 at `dim`", _) => changed(1),
        ("n at `dim`", _) => changed(sizes.letters["n"]),
        ("sum at `dim`", _) => changed(shapes.iter().map(|shape| shape[dim(op, &x)]).sum()),
        ("`end - start` at `dim`", Op::Slice { start, end, .. }) => changed((end - start) as usize),
        ("as i", _) => shapes[1].clone(),
        ("`a` and `b` exchanged", Op::SwapDims { a, b }) => {
            let at = |dim: i64| (if dim < 0 { x.len() as i64 + dim } else { dim }) as usize;
            let mut shape = x.clone();
            shape.swap(at(*a), at(*b));
            shape
        }
        ("`shape`", Op::Reshape { shape }) => {
            let known: usize = shape.iter().filter(|n| **n >= 0).map(|n| *n as usize).product();
            let free = x.iter().product::<usize>() / known.max(1);
            shape.iter().map(|n| if *n < 0 { free } else { *n as usize }).collect()
        }
        ("`shape`", Op::Expand { shape } | Op::Full { shape, .. }) => shape.iter().map(|n| *n as usize).collect(),
        (pattern, op) => {
            match op {
                Op::TopK { k } | Op::Svd { k } => drop(sizes.letters.insert("k".into(), *k as usize)),
                Op::Arange { start, end } => drop(sizes.letters.insert("n".into(), (end - start) as usize)),
                _ => {}
            }
            sizes.of(pattern)
        }
    }
}

fn kind(dtype: DType) -> &'static str {
    match dtype {
        DType::Int => "int",
        DType::Bool => "mask",
        _ => "float",
    }
}

#[test]
fn has_every_operator() {
    let table = table();
    let called: BTreeSet<_> = calls().iter().map(|(op, _)| name(op)).collect();
    for name in table.keys() {
        assert!(name == "custom" || called.contains(name), "`{name}` is not called in `calls`");
    }
    let all: BTreeSet<_> = features().filter_map(|name| name.strip_prefix("op.")).collect();
    assert_eq!(table.keys().map(String::as_str).collect::<BTreeSet<_>>(), all);
}

/// Results have the shapes and elements of the table, planned and executed.
#[test]
fn says_what_shapes_come_out() {
    let (table, host) = (table(), MetaHost::new(&Default::default(), None, 1, 1).unwrap());
    for (op, operands) in calls() {
        let row = &table[&name(&op)];
        let shapes: Vec<_> = operands.iter().map(|v| v.shape()).collect();
        let more = row.operands.last().is_some_and(|last| last == "and more");
        assert!(more || row.operands.len() == operands.len(), "{op:?} takes {:?}", row.operands);
        let mut sizes = Sizes::default();
        for (pattern, shape) in row.operands.iter().zip(&shapes) {
            assert!(sizes.fits(pattern, shape), "{op:?}: {shape:?} is not {pattern}");
        }
        let out = run(op.clone(), &operands.iter().collect::<Vec<_>>()).unwrap();
        let planned = planned(&host, &op, &operands);
        assert_eq!((planned.shape(), planned.dtype()), (out.shape(), out.dtype()), "{op:?} of {shapes:?}");

        let result = parts(&row.result);
        if name(&op) != "non_zero" {
            assert_eq!(out.shape(), expected(&op, &result[0], &shapes, &mut sizes), "{op:?} of {shapes:?}");
        }
        let elements = match result.get(1).map(String::as_str) {
            None if name(&op) == "svd" => "float",
            None => kind(operands[0].dtype()),
            Some("as a") => kind(operands[1].dtype()),
            Some("`dtype`") => match &op {
                Op::Cast { dtype } | Op::Full { dtype, .. } => kind(*dtype),
                other => panic!("{other:?} has no `dtype`"),
            },
            Some(named) => named,
        };
        assert_eq!(kind(out.dtype()), elements, "{op:?}");
    }
}

/// The elements of the table are taken, and no others.
#[test]
fn says_what_elements_are_taken() {
    let table = table();
    let cast = |value: &Value, kind: &str| {
        let dtype = match kind {
            "int" => DType::Int,
            "mask" => DType::Bool,
            _ => DType::F32,
        };
        let cast = run(Op::Cast { dtype }, &[value]).unwrap();
        // None is divided by zero.
        if kind == "int" { run(Op::Clamp { min: 1.0, max: 2.0 }, &[&cast]).unwrap() } else { cast }
    };
    for (op, operands) in calls() {
        let row = &table[&name(&op)];
        for kind in ["float", "int", "mask"] {
            // Operands that are named with their elements keep them.
            let fixed = |i: usize| row.operands.get(i).is_some_and(|o| o.starts_with("int ") || o == "mask");
            let values = operands.iter().enumerate();
            let values: Vec<_> = values.map(|(i, v)| if fixed(i) { v.clone() } else { cast(v, kind) }).collect();
            let found = run(op.clone(), &values.iter().collect::<Vec<_>>());
            assert_eq!(found.is_ok(), row.elements.contains(kind), "{op:?} of {kind}: {:?}", found.err());
        }
    }
}
