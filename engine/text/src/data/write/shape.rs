//! What the values of a column have in common.

use framework_core::Record;
use serde_json::Value;

/// What the values of a column have in common; all may be missing.
///
/// What differs becomes text: strings as they are, anything else as JSON. So do objects whose keys are not the same, in
/// the same order, in all rows: what is read back would else have nulls where there was nothing, and templates that
/// print objects would print those.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Nothing but nulls so far.
    Null,
    Bool,
    Int,
    Float,
    Text,
    /// Token ids and labels.
    Id,
    List(Box<Shape>),
    Group(Vec<(String, Shape)>),
}

impl Shape {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Shape::Null,
            Value::Bool(_) => Shape::Bool,
            Value::Number(n) if n.is_i64() => Shape::Int,
            Value::Number(n) if n.is_f64() => Shape::Float,
            Value::Number(_) | Value::String(_) => Shape::Text,
            Value::Array(list) => {
                let mut of = Shape::Null;
                list.iter().for_each(|value| of.widen(value));
                Shape::List(of.into())
            }
            Value::Object(map) if map.is_empty() => Shape::Text,
            Value::Object(map) => {
                Shape::Group(map.iter().map(|(key, value)| (key.clone(), Shape::of(value))).collect())
            }
        }
    }

    /// Makes room for a value.
    pub(super) fn widen(&mut self, value: &Value) {
        match (&mut *self, value) {
            (Shape::Text, _) | (_, Value::Null) => {}
            (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Int, Value::Number(n)) if n.is_i64() => {}
            (Shape::Float, Value::Number(n)) if n.is_i64() || n.is_f64() => {}
            (Shape::Int, Value::Number(n)) if n.is_f64() => *self = Shape::Float,
            (Shape::List(of), Value::Array(list)) => list.iter().for_each(|value| of.widen(value)),
            (Shape::Group(fields), Value::Object(map)) if fields.iter().map(|(key, _)| key).eq(map.keys()) => {
                fields.iter_mut().zip(map.values()).for_each(|((_, shape), value)| shape.widen(value));
            }
            (Shape::Null, value) => *self = Shape::of(value),
            _ => *self = Shape::Text,
        }
    }

    /// Columns of numbers or text that it takes.
    pub(super) fn width(&self) -> usize {
        match self {
            Shape::List(of) => of.width(),
            Shape::Group(fields) => fields.iter().map(|(_, shape)| shape.width()).sum(),
            _ => 1,
        }
    }
}

/// Makes room for a record's fields, in the order in which they first come.
pub(super) fn widen(columns: &mut Vec<(String, Shape)>, record: &Record) {
    for (i, (key, value)) in record.iter().enumerate() {
        // Usually the same fields in the same order.
        let at = match columns.get(i) {
            Some((name, _)) if name == key => Some(i),
            _ => columns.iter().position(|(name, _)| name == key),
        };
        match at {
            Some(at) => columns[at].1.widen(value),
            None => columns.push((key.clone(), Shape::of(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shape(values: &[Value]) -> Shape {
        let mut shape = Shape::Null;
        values.iter().for_each(|value| shape.widen(value));
        shape
    }

    #[test]
    fn what_differs_becomes_text() {
        assert_eq!(shape(&[json!(null), json!(1), json!(2)]), Shape::Int);
        assert_eq!(shape(&[json!(1), json!(2.5), json!(3)]), Shape::Float);
        assert_eq!(shape(&[json!(1), json!("2")]), Shape::Text);
        assert_eq!(shape(&[json!("a"), json!({"b": 1})]), Shape::Text);
        assert_eq!(shape(&[json!(u64::MAX)]), Shape::Text);
        assert_eq!(shape(&[json!([]), json!([true])]), Shape::List(Shape::Bool.into()));
        let group = |value| Shape::Group(vec![("a".into(), value)]);
        assert_eq!(shape(&[json!({"a": null}), json!({"a": [1]})]), group(Shape::List(Shape::Int.into())));
        assert_eq!(shape(&[json!({"a": 1}), json!({"a": 1, "b": 2})]), Shape::Text);
        assert_eq!(shape(&[json!({"a": 1, "b": 2}), json!({"b": 1, "a": 2})]), Shape::Text);
        assert_eq!(shape(&[json!([{"a": 1}, {"b": 1}])]), Shape::List(Shape::Text.into()));
        assert_eq!(shape(&[json!({})]), Shape::Text);
    }
}
