//! What a GGUF file says beside its tensors: values by name.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Meta {
    /// A number that is not negative.
    U32(u32),
    /// A number.
    I32(i32),
    /// A fraction.
    F32(f32),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// Values of one type; at least one.
    List(Vec<Meta>),
}

impl Meta {
    /// The number of the type in files.
    pub(super) fn code(&self) -> u32 {
        match self {
            Meta::U32(_) => 4,
            Meta::I32(_) => 5,
            Meta::F32(_) => 6,
            Meta::Bool(_) => 7,
            Meta::Text(_) => 8,
            Meta::List(_) => 9,
        }
    }

    /// Appends the value, without its type.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Meta::U32(x) => out.extend(x.to_le_bytes()),
            Meta::I32(x) => out.extend(x.to_le_bytes()),
            Meta::F32(x) => out.extend(x.to_le_bytes()),
            Meta::Bool(x) => out.push(u8::from(*x)),
            Meta::Text(text) => put_text(text, out),
            Meta::List(list) => {
                out.extend(list.first().map_or(0, Meta::code).to_le_bytes());
                out.extend((list.len() as u64).to_le_bytes());
                list.iter().for_each(|value| value.put(out));
            }
        }
    }

    /// A number, if it is one that is not negative.
    pub fn number(&self) -> Option<usize> {
        match self {
            Meta::U32(x) => Some(*x as usize),
            Meta::I32(x) => usize::try_from(*x).ok(),
            _ => None,
        }
    }

    /// A fraction, if it is one.
    pub fn fraction(&self) -> Option<f64> {
        if let Meta::F32(x) = self { Some(f64::from(*x)) } else { None }
    }

    /// Yes or no, if it is that.
    pub fn flag(&self) -> Option<bool> {
        if let Meta::Bool(x) = self { Some(*x) } else { None }
    }

    /// A text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Meta::Text(text) = self { Some(text) } else { None }
    }

    /// The values of a list; none of anything else.
    pub fn list(&self) -> &[Meta] {
        if let Meta::List(list) = self { list } else { &[] }
    }
}

/// A text as files hold it: its length in bytes, and the bytes.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl From<u32> for Meta {
    fn from(x: u32) -> Self {
        Meta::U32(x)
    }
}
impl From<i32> for Meta {
    fn from(x: i32) -> Self {
        Meta::I32(x)
    }
}
impl From<f32> for Meta {
    fn from(x: f32) -> Self {
        Meta::F32(x)
    }
}
impl From<bool> for Meta {
    fn from(x: bool) -> Self {
        Meta::Bool(x)
    }
}
impl From<&str> for Meta {
    fn from(text: &str) -> Self {
        Meta::Text(text.to_owned())
    }
}
impl From<String> for Meta {
    fn from(text: String) -> Self {
        Meta::Text(text)
    }
}
impl<T: Into<Meta>> From<Vec<T>> for Meta {
    fn from(list: Vec<T>) -> Self {
        Meta::List(list.into_iter().map(Into::into).collect())
    }
}

/// Values by name, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entries(pub Vec<(String, Meta)>);

impl Entries {
    /// Appends a value. A list without values is left out: files say the type of the first.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<Meta>) {
        let value = value.into();
        if value != Meta::List(Vec::new()) {
            self.0.push((name.into(), value));
        }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Meta> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
