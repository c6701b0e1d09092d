//! Rows of a SQLite database as records.

use framework_sdk::prelude::*;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use std::{path::PathBuf, sync::mpsc, thread};

options! {
    /// Reads the rows that a query of a SQLite database gives; a record's fields are the query's columns.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct Sqlite {
        /// The database.
        path: FilePath,
        /// What is read, e.g. `SELECT question AS instruction, answer AS output FROM faq ORDER BY id`. Give it an order, so
        /// that it is the same every time.
        query: String,
    }
}

impl Dataset for Sqlite {
    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (path, query, skipped) = (self.path.to_path_buf(), self.query.clone(), skipped.clone());
        // A statement borrows its connection: both live in a thread that hands rows over.
        let (send, receive) = mpsc::sync_channel(64);
        thread::spawn(move || {
            if let Err(e) = rows(&path, &query, &skipped, &mut |record| send.send(Ok(record)).is_ok()) {
                let _ = send.send(Err(PluginError::new(format!("{}: {e}", path.display()))));
            }
        });
        Ok(Box::new(receive.into_iter()))
    }
}

/// Hands rows to `give` until it has enough.
fn rows(path: &PathBuf, query: &str, skipped: &Skipped, give: &mut dyn FnMut(Record) -> bool) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(query)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut number = 0;
    while let Some(row) = rows.next()? {
        number += 1;
        let value = |i: usize| match row.get_ref(i)? {
            ValueRef::Null => Ok(Some(Value::Null)),
            ValueRef::Integer(number) => Ok(Some(number.into())),
            ValueRef::Real(number) => Ok(Some(number.into())),
            ValueRef::Text(text) => Ok(std::str::from_utf8(text).ok().map(Value::from)),
            ValueRef::Blob(_) => Ok(None),
        };
        let values = (0..names.len()).map(value).collect::<rusqlite::Result<Option<Vec<_>>>>()?;
        match values {
            Some(values) => {
                if !give(names.iter().cloned().zip(values).collect()) {
                    return Ok(());
                }
            }
            None => skipped.row("a column holds bytes that are no text", format!("row {number} of the query")),
        }
    }
    Ok(())
}

register!(dataset "sqlite" => Sqlite, example = r#"
path = "handbook.db"
query = "SELECT question AS instruction, answer AS output FROM faq ORDER BY id"
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test;
    use rusqlite::Connection;

    fn read(query: &str) -> framework_sdk::Result<Vec<framework_sdk::Record>> {
        let path = std::env::temp_dir().join(format!("{}-{}.db", std::process::id(), query.len()));
        let _ = std::fs::remove_file(&path);
        let made = "CREATE TABLE faq (q TEXT, a, n REAL); INSERT INTO faq VALUES ('Where?', 'Here.', 1.5), ('When?', NULL, 2), \
                    ('What?', x'ff00', 3);";
        Connection::open(&path).unwrap().execute_batch(made).unwrap();
        let records = test::dataset("sqlite", &format!("path = {path:?}\nquery = {query:?}"));
        std::fs::remove_file(&path).unwrap();
        records
    }

    #[test]
    fn columns_become_fields_and_bytes_are_skipped() {
        let records = read("SELECT q AS instruction, a AS output, n FROM faq ORDER BY n").unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!((&records[0]["instruction"], &records[0]["n"]), (&"Where?".into(), &1.5.into()));
        assert!(records[1]["output"].is_null());
    }

    #[test]
    fn errors_name_the_database() {
        let error = read("SELECT q FROM absent").unwrap_err().message;
        assert!(error.contains(".db: no such table: absent"), "{error}");
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
