//! Recipes in encodings and places other than a UTF-8 file.

use super::{Folder, GOOD};
use insta::assert_snapshot;

fn told(folder: &Folder, name: &str) -> String {
    let error = super::parse(&folder.path(name), &[]).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.0.path().display()), "")
}

#[test]
fn byte_order_marks() {
    let folder = Folder::new(GOOD);
    let good = folder.load(&[]).unwrap();
    let wide = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{GOOD}# 学习\n").encode_utf16().flat_map(unit).collect()
    };
    for bytes in [format!("\u{feff}{GOOD}").into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
        std::fs::write(folder.path("r.toml"), bytes).unwrap();
        assert_eq!(folder.load(&[]).unwrap(), good);
    }
}

#[test]
fn what_is_not_text() {
    let folder = Folder::new(GOOD);
    for (name, bytes) in [("a", &b"seed = 1\nname = \"\xe9\"\n"[..]), ("b", b"GGUF\x03\x00"), ("c", b"\xff\xfes\0e")] {
        std::fs::write(folder.path(name), bytes).unwrap();
    }
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.write("runs/x/recipe.toml", GOOD);
    let all = ["a", "b", "c", "empty", "runs/x"].map(|name| told(&folder, name)).join("\n");
    assert_snapshot!(all, @r"
a is not a recipe: line 2 is not valid UTF-8
    a recipe is a TOML file; save it as UTF-8
b is not a recipe: it is a binary file
    a recipe is a TOML file; save it as UTF-8
c is not a recipe: it begins like UTF-16, but is not valid UTF-16
    a recipe is a TOML file; save it as UTF-8
empty is a folder; expected a recipe file
    give the recipe's file; `framework init` writes one
runs/x is a folder; expected a recipe file
    did you mean runs/x/recipe.toml?
");
}

#[test]
fn paths_of_windows() {
    let recipe = |path: &str| GOOD.replace("\"data.csv\"", path);
    let told = |path: &str| super::problems(&recipe(path));
    assert_snapshot!(told(r#""C:\Users\me\data.csv""#), @r#"
r.toml:8:13: not valid TOML: too few unicode value digits, expected unicode hexadecimal value
    in "…" a backslash begins an escape; write the path in single quotation marks, 'C:\data\x', or with /
"#);
    assert_snapshot!(told(r#""D:\my data\set.csv""#), @r#"
r.toml:8:12: not valid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
    in "…" a backslash begins an escape; write the path in single quotation marks, 'C:\data\x', or with /
"#);
    assert_snapshot!(told(r#""C:\new\table.csv""#), @r#"
r.toml:8:8: `dataset.0.path`: the path "C:\new\table.csv" has a line break, a tab or the like in it
    in "…" a backslash begins an escape; write the path in single quotation marks, 'C:\data\x', or with /
"#);
    assert_snapshot!(told(r"'C:\new\table.csv'"), @r"
r.toml:8:8: `dataset.0.path`: there is no file or folder C:\new\table.csv
    paths start from the recipe's folder
");
}
