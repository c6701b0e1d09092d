//! Cells as text, and why some are empty.

use super::sheet::Row;
use calamine::{DataRef, Xlsx};
use std::{fs::File, io::BufReader};

/// A cell's text, or what is wrong with it.
pub type Text = Result<String, String>;

/// A cell as text: numbers and dates as they are stored, times of day and durations as `08:30:00` and `36:00:00`.
pub fn text(value: &DataRef) -> Text {
    Ok(match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(value) => value.to_string(),
        // Days since the epoch: below 1 there is no date in it.
        DataRef::DateTime(time) if time.is_duration() || (0.0..1.0).contains(&time.as_f64()) => clock(time.as_f64()),
        DataRef::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        DataRef::Error(e) => return Err(format!("is the error {e}")),
    })
}

/// Days as hours, minutes and seconds.
fn clock(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 && seconds > 0 { "-" } else { "" };
    format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Marks empty cells of these columns that are formulas without a stored result, which a program that only writes
/// workbooks leaves.
pub fn formulas(
    book: &mut Xlsx<BufReader<File>>,
    sheet: &str,
    columns: &[u32],
    header: u64,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let mut cells = book.worksheet_cells_reader(sheet).map_err(|e| e.to_string())?;
    while let Some(cell) = cells.next_formula().map_err(|e| format!("the sheet `{sheet}` is damaged: {e}"))? {
        let (row, column) = cell.get_position();
        let number = u64::from(row) + 1;
        let Some(at) = columns.iter().position(|c| *c == column).filter(|_| number > header) else { continue };
        if cell.get_value().is_empty() {
            continue;
        }
        let place = rows.binary_search_by_key(&number, |row| row.number).unwrap_or_else(|place| {
            rows.insert(place, Row { number, cells: vec![Ok(String::new()); columns.len()] });
            place
        });
        let found = &mut rows[place].cells[at];
        if matches!(found, Ok(text) if text.is_empty()) {
            *found = Err("is a formula whose result is not in the file; open the workbook in a spreadsheet program, \
                          which computes it, and save it"
                .into());
        }
    }
    Ok(())
}

/// Marks empty cells of these columns that are merged with one above or before them, which alone has the text.
pub fn merged(book: &mut Xlsx<BufReader<File>>, sheet: &str, columns: &[u32], rows: &mut [Row]) -> Result<(), String> {
    let regions = book.merge_cells_by_sheet_name(sheet);
    for region in regions.map_err(|e| format!("the sheet `{sheet}` is damaged: {e}"))? {
        let (first, last) = (u64::from(region.start.0) + 1, u64::from(region.end.0) + 1);
        let within = |row: &&mut Row| (first..=last).contains(&row.number);
        for row in rows.iter_mut().filter(within) {
            for (cell, column) in row.cells.iter_mut().zip(columns) {
                let inside = (region.start.1..=region.end.1).contains(column);
                if inside && matches!(cell, Ok(text) if text.is_empty()) {
                    *cell = Err(format!(
                        "is empty, since its cell is merged with the one in row {first}; unmerge the cells and fill in \
                         each"
                    ));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{ExcelDateTime, ExcelDateTimeType};

    #[test]
    fn times_have_no_date_and_durations_no_end() {
        let time = |days, kind| text(&DataRef::DateTime(ExcelDateTime::new(days, kind, false))).unwrap();
        let moment = ExcelDateTimeType::DateTime;
        assert_eq!(time(8.5 / 24.0, moment), "08:30:00");
        assert_eq!(time(0.0, moment), "00:00:00");
        assert_eq!(time(86_399.0 / 86_400.0, moment), "23:59:59");
        assert_eq!(time(45_000.0, moment), "2023-03-15");
        assert_eq!(time(45_000.25, moment), "2023-03-15 06:00:00");
        assert_eq!(time(1.5, ExcelDateTimeType::TimeDelta), "36:00:00");
        assert_eq!(time(90.0 / 86_400.0, ExcelDateTimeType::TimeDelta), "00:01:30");
        assert_eq!(time(-0.5, ExcelDateTimeType::TimeDelta), "-12:00:00");
    }
}
