//! Parquet. Which columns there are is known when all rows have been seen: until then, records wait in a file.

use super::{
    Bytes, Row, Rows, lines,
    shape::{self, Shape},
    shred::{At, Leaf, Values, leaves, shred},
};
use ::parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArrayType, DoubleType, Int32Type, Int64Type},
    errors::Result as Written,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use framework_base::{Error, Result};
use framework_core::Record;
use framework_recipe::Split;
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Seek, Write},
    path::Path,
    sync::Arc,
};

/// About so many bytes become a row group.
const GROUP: usize = 16 << 20;

/// A Parquet file.
pub(super) struct Parquet<'a> {
    path: &'a Path,
    /// Where the file goes, until its columns are known.
    bytes: Option<Bytes<'a>>,
    columns: Vec<(String, Shape)>,
    waiting: Option<BufWriter<File>>,
    table: Option<Table<'a>>,
}

impl<'a> Parquet<'a> {
    pub(super) fn new(path: &'a Path, bytes: Bytes<'a>) -> Self {
        Self { path, bytes: Some(bytes), columns: Vec::new(), waiting: None, table: None }
    }

    fn wait(&mut self, record: &Record) -> Result<()> {
        shape::widen(&mut self.columns, record);
        let failed = |e| Error::io("write beside", self.path, e);
        let file = match &mut self.waiting {
            Some(file) => file,
            None => {
                let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let file = tempfile::tempfile_in(folder).map_err(failed)?;
                self.waiting.insert(BufWriter::with_capacity(1 << 20, file))
            }
        };
        file.write_all(&lines::line(record)?).map_err(failed)
    }

    fn open(&mut self, columns: Vec<(String, Shape)>) -> Result<()> {
        if let Some(bytes) = self.bytes.take() {
            self.table = Some(Table::new(columns, bytes).map_err(|e| broken(self.path, e))?);
        }
        Ok(())
    }
}

impl Rows for Parquet<'_> {
    fn put(&mut self, row: Row) -> Result<()> {
        match row {
            Row::Record(record) => self.wait(&record),
            Row::Line(line) => self.wait(&serde_json::from_slice(&line).map_err(|e| Error::failed(e.to_string()))?),
            Row::Tokens(sequence, split) => {
                if self.table.is_none() {
                    let list = || Shape::List(Shape::Id.into());
                    let columns = [("input_ids", list()), ("labels", list()), ("split", Shape::Text)];
                    self.open(columns.map(|(name, shape)| (name.to_owned(), shape)).into())?;
                }
                let Some(table) = &mut self.table else { return Ok(()) };
                let [ids, labels, splits] = &mut table.leaves[..] else { return Ok(()) };
                ids.ids(sequence.ids.iter().map(|id| *id as i32));
                labels.ids(sequence.labels.iter().copied());
                splits.place(0, 1);
                splits.text(if split == Split::Train { "train".into() } else { "validation".into() });
                table.row_ends().map_err(|e| broken(self.path, e))
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let columns = std::mem::take(&mut self.columns);
        self.open(columns)?;
        let path = self.path;
        let Some(mut table) = self.table else { return Ok(()) };
        if let Some(waiting) = self.waiting {
            let failed = |e| Error::io("read what waited for", path, e);
            let mut file = waiting.into_inner().map_err(|e| failed(e.into_error()))?;
            file.rewind().map_err(failed)?;
            let (mut file, mut line) = (BufReader::with_capacity(1 << 20, file), Vec::new());
            while file.read_until(b'\n', &mut line).map_err(failed)? > 0 {
                let record: Record = serde_json::from_slice(&line).map_err(|e| Error::failed(e.to_string()))?;
                table.record(&record).map_err(|e| broken(path, e))?;
                line.clear();
            }
        }
        table.finish().map_err(|e| broken(path, e))
    }
}

fn broken(path: &Path, e: ::parquet::errors::ParquetError) -> Error {
    Error::failed(format!("cannot write {}: {e}", path.display()))
}

/// A file whose columns are known.
struct Table<'a> {
    columns: Vec<(String, Shape)>,
    leaves: Vec<Leaf>,
    file: SerializedFileWriter<Bytes<'a>>,
}

impl<'a> Table<'a> {
    fn new(columns: Vec<(String, Shape)>, bytes: Bytes<'a>) -> Written<Self> {
        let fields = columns.iter().map(|(name, shape)| column(name, shape)).collect::<Written<_>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let leaves = columns.iter().flat_map(|(_, shape)| leaves(shape)).collect();
        let file = SerializedFileWriter::new(bytes, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { columns, leaves, file })
    }

    fn record(&mut self, record: &Record) -> Written<()> {
        let mut rest = &mut self.leaves[..];
        for (key, shape) in &self.columns {
            let (own, others) = rest.split_at_mut(shape.width());
            shred(shape, record.get(key).unwrap_or(&Value::Null), At::default(), own);
            rest = others;
        }
        self.row_ends()
    }

    fn row_ends(&mut self) -> Written<()> {
        if self.leaves.iter().map(|leaf| leaf.size).sum::<usize>() < GROUP { Ok(()) } else { self.group() }
    }

    fn group(&mut self) -> Written<()> {
        let mut group = self.file.next_row_group()?;
        for leaf in &mut self.leaves {
            let Some(mut column) = group.next_column()? else { break };
            let (def, rep) = (Some(&leaf.def[..]), Some(&leaf.rep[..]));
            match &leaf.values {
                Values::Bool(values) => column.typed::<BoolType>().write_batch(values, def, rep)?,
                Values::Int(values) => column.typed::<Int64Type>().write_batch(values, def, rep)?,
                Values::Float(values) => column.typed::<DoubleType>().write_batch(values, def, rep)?,
                Values::Text(values) => column.typed::<ByteArrayType>().write_batch(values, def, rep)?,
                Values::Id(values) => column.typed::<Int32Type>().write_batch(values, def, rep)?,
            };
            column.close()?;
            leaf.clear();
        }
        group.close().map(drop)
    }

    fn finish(mut self) -> Written<()> {
        if self.leaves.iter().any(|leaf| !leaf.def.is_empty()) {
            self.group()?;
        }
        self.file.close().map(drop)
    }
}

/// A column of the schema; everything may be missing.
fn column(name: &str, shape: &Shape) -> Written<Arc<Type>> {
    let simple = |of| Type::primitive_type_builder(name, of).with_repetition(Repetition::OPTIONAL);
    let group = |fields| Type::group_type_builder(name).with_fields(fields).with_repetition(Repetition::OPTIONAL);
    let built = match shape {
        Shape::Bool => simple(Physical::BOOLEAN).build(),
        Shape::Int => simple(Physical::INT64).build(),
        Shape::Float => simple(Physical::DOUBLE).build(),
        Shape::Id => simple(Physical::INT32).build(),
        Shape::Null | Shape::Text => simple(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build(),
        Shape::List(of) => {
            let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
            let list = list.with_fields(vec![column("element", of)?]).build()?;
            group(vec![Arc::new(list)]).with_logical_type(Some(LogicalType::List)).build()
        }
        Shape::Group(fields) => {
            group(fields.iter().map(|(key, shape)| column(key, shape)).collect::<Written<_>>()?).build()
        }
    };
    built.map(Arc::new)
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
