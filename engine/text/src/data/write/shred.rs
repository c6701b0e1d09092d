//! Nested values as flat columns with levels, as Dremel has them.

use super::shape::Shape;
use ::parquet::data_type::ByteArray;
use serde_json::Value;

/// A column of a row group: its values, and for each place how much of its path is there (`def`) and which list it
/// goes on with (`rep`).
pub(super) struct Leaf {
    pub def: Vec<i16>,
    pub rep: Vec<i16>,
    pub values: Values,
    /// About so many bytes.
    pub size: usize,
}

pub(super) enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text(Vec<ByteArray>),
    Id(Vec<i32>),
}

impl Leaf {
    fn new(values: Values) -> Self {
        Self { def: Vec::new(), rep: Vec::new(), values, size: 0 }
    }

    pub(super) fn place(&mut self, rep: i16, def: i16) {
        self.rep.push(rep);
        self.def.push(def);
        self.size += 4;
    }

    pub(super) fn text(&mut self, text: String) {
        if let Values::Text(values) = &mut self.values {
            self.size += text.len() + size_of::<ByteArray>();
            values.push(text.into_bytes().into());
        }
    }

    fn value(&mut self, value: &Value) {
        self.size += 8;
        match &mut self.values {
            Values::Bool(values) => values.push(value.as_bool().unwrap_or_default()),
            Values::Int(values) => values.push(value.as_i64().unwrap_or_default()),
            Values::Float(values) => values.push(value.as_f64().unwrap_or_default()),
            Values::Id(values) => values.push(value.as_i64().unwrap_or_default() as i32),
            Values::Text(_) => self.text(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        }
    }

    /// A row's list of numbers.
    pub(super) fn ids(&mut self, ids: impl ExactSizeIterator<Item = i32>) {
        if ids.len() == 0 {
            return self.place(0, 1);
        }
        self.size += 8 * ids.len();
        self.rep.push(0);
        self.rep.resize(self.rep.len() + ids.len() - 1, 1);
        self.def.resize(self.def.len() + ids.len(), 3);
        if let Values::Id(values) = &mut self.values {
            values.extend(ids);
        }
    }

    /// Room for the next row group.
    pub(super) fn clear(&mut self) {
        self.def.clear();
        self.rep.clear();
        self.size = 0;
        match &mut self.values {
            Values::Bool(values) => values.clear(),
            Values::Int(values) => values.clear(),
            Values::Float(values) => values.clear(),
            Values::Text(values) => values.clear(),
            Values::Id(values) => values.clear(),
        }
    }
}

/// The columns of a shape.
pub(super) fn leaves(shape: &Shape) -> Vec<Leaf> {
    match shape {
        Shape::List(of) => leaves(of),
        Shape::Group(fields) => fields.iter().flat_map(|(_, shape)| leaves(shape)).collect(),
        Shape::Bool => vec![Leaf::new(Values::Bool(Vec::new()))],
        Shape::Int => vec![Leaf::new(Values::Int(Vec::new()))],
        Shape::Float => vec![Leaf::new(Values::Float(Vec::new()))],
        Shape::Id => vec![Leaf::new(Values::Id(Vec::new()))],
        Shape::Null | Shape::Text => vec![Leaf::new(Values::Text(Vec::new()))],
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Default)]
pub(super) struct At {
    /// The list that its place goes on with.
    pub rep: i16,
    /// Lists around it.
    pub lists: i16,
    /// How much of its path is there.
    pub def: i16,
}

/// Puts a value into its columns.
pub(super) fn shred(shape: &Shape, value: &Value, at: At, leaves: &mut [Leaf]) {
    match (shape, value) {
        (_, Value::Null) => leaves.iter_mut().for_each(|leaf| leaf.place(at.rep, at.def)),
        (Shape::List(_), Value::Array(list)) if list.is_empty() => {
            leaves.iter_mut().for_each(|leaf| leaf.place(at.rep, at.def + 1));
        }
        (Shape::List(of), Value::Array(list)) => {
            for (i, value) in list.iter().enumerate() {
                let rep = if i == 0 { at.rep } else { at.lists + 1 };
                shred(of, value, At { rep, lists: at.lists + 1, def: at.def + 2 }, leaves);
            }
        }
        (Shape::Group(fields), Value::Object(map)) => {
            let mut rest = leaves;
            for (key, shape) in fields {
                let (own, others) = rest.split_at_mut(shape.width());
                shred(shape, map.get(key).unwrap_or(&Value::Null), At { def: at.def + 1, ..at }, own);
                rest = others;
            }
        }
        (_, value) => {
            leaves[0].place(at.rep, at.def + 1);
            leaves[0].value(value);
        }
    }
}
