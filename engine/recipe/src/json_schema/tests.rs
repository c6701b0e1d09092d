//! The form of the schema, with the plugins of a made-up catalog.

use super::{cleaned, json_schema};
use crate::{Catalog, tests::Fake};
use framework_core::{About, Kind};
use insta::assert_snapshot;
use serde_json::{Value, json};

fn schema() -> Value {
    let names = [
        (Kind::Dataset, "csv"),
        (Kind::Augmenter, "nothing"),
        (Kind::Model, "pythia"),
        (Kind::Adapter, "lora"),
        (Kind::Adapter, "full"),
        (Kind::Optimizer, "adamw"),
        (Kind::Decoder, "beam"),
    ];
    let mut plugins: Vec<About> = names.iter().map(|(kind, name)| Fake.about(*kind, name).unwrap()).collect();
    plugins[2].aliases = vec!["gpt_neox".into()];
    json_schema(&plugins.iter().collect::<Vec<_>>())
}

#[test]
fn a_table_lists_the_plugins_and_asks_each_in_turn() {
    let schema = schema();
    let mut adapter = schema["properties"]["adapter"].clone();
    adapter["else"]["else"] = "…".into();
    assert_snapshot!(adapter, @r##"{"type":"object","properties":{"plugin":{"type":"string","description":"The adapter's plugin.","default":"lora","enum":["lora","full"],"x-taplo":{"docs":{"enumValues":["Low-rank matrices beside the projections.","Changes nothing."]}}}},"description":"What is trained: parameters added to the base model, or the model's own.","default":{"plugin":"lora"},"anyOf":[{},{"$ref":"#/definitions/adapter.lora"},{"$ref":"#/definitions/adapter.full"}],"if":{"properties":{"plugin":{"enum":["lora"]}}},"then":{"$ref":"#/definitions/adapter.lora"},"else":{"if":{"properties":{"plugin":{"enum":["full"]}},"required":["plugin"]},"then":{"$ref":"#/definitions/adapter.full"},"else":"…"}}"##);
    assert_eq!(schema["properties"]["dataset"]["items"]["required"], json!(["plugin"]));
    let model = &schema["properties"]["model"];
    assert_eq!(model["properties"]["plugin"]["enum"], json!(["pythia", "gpt_neox"]));
    // Without a plugin, `config.json` tells the architecture.
    assert_eq!(
        model["else"]["properties"]["config"]["anyOf"][1],
        json!({
            "type": "object", "additionalProperties": true, "description": "The keys of `config.json`, in the recipe."
        })
    );
}

#[test]
fn a_plugins_table_has_its_keys_and_the_engines() {
    let schema = schema();
    let csv = &schema["definitions"]["dataset.csv"];
    let keys: Vec<_> = csv["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["plugin", "limit", "split", "weight", "path", "delimiter", "columns", "source"]);
    assert_eq!((&csv["required"], &csv["additionalProperties"]), (&json!(["plugin", "path"]), &false.into()));
    assert_snapshot!(csv["properties"]["split"], @r#"{"description":"Whether the records are trained or only evaluated.","type":"string","enum":["train","validation"],"x-taplo":{"docs":{"enumValues":["Training, except for the records that `validation.fraction` holds back.","Validation only."]}},"default":"train"}"#);
    assert_snapshot!(schema["definitions"]["adapter.lora"]["properties"]["quant"], @r#"{"description":"Number format.","type":"string","enum":["nf4","fp4","int8"]}"#);
    // The engine's settings of generation are keys of every decoder's table.
    let beam = schema["definitions"]["decoder.beam"]["properties"].as_object().unwrap();
    assert!(beam.contains_key("num_beams") && beam.contains_key("max_new_tokens"));
    let config = &schema["definitions"]["model.pythia"]["properties"]["config"]["anyOf"][1];
    assert_eq!(config["additionalProperties"], true);
}

#[test]
fn nothing_is_left_that_editors_do_not_read() {
    fn look(value: &Value, path: &str) {
        assert!(!value.is_null(), "{path} is null");
        for (key, inner) in value.as_object().into_iter().flatten() {
            let at = format!("{path}/{key}");
            assert!(!key.starts_with("x-") || key == "x-taplo", "{at}");
            assert!(!["$defs", "format", "prefixItems"].contains(&key.as_str()), "{at}");
            look(inner, &at);
        }
        value.as_array().into_iter().flatten().enumerate().for_each(|(i, inner)| look(inner, &format!("{path}/{i}")));
    }
    let schema = schema();
    look(&schema, "");
    let text = schema.to_string();
    let references = text.match_indices("\"$ref\":\"").map(|(at, found)| &text[at + found.len()..]);
    let targets: Vec<_> = references.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(targets.len() > 10 && targets.iter().all(|to| schema.pointer(&to[1..]).is_some()), "{targets:?}");
}

#[test]
fn references_are_written_out_once() {
    let list = json!({
        "type": "object",
        "properties": { "next": { "anyOf": [{ "$ref": "#" }, { "type": "null" }], "default": null },
                        "pair": { "type": "array", "prefixItems": [{ "$ref": "#/$defs/N" }], "items": false } },
        "$defs": { "N": { "type": ["integer", "null"], "format": "uint8", "description": "A number." } }
    });
    assert_snapshot!(cleaned(&list), @r#"{"type":"object","properties":{"next":{"type":"object","properties":{"next":{},"pair":{"type":"array","items":[{"type":"integer","description":"A number."}],"additionalItems":false}},"additionalProperties":false},"pair":{"type":"array","items":[{"type":"integer","description":"A number."}],"additionalItems":false}},"additionalProperties":false}"#);
}

#[test]
fn without_plugins_the_tables_are_open() {
    let schema = json_schema(&[]);
    assert_eq!(schema["properties"]["optimizer"]["additionalProperties"], true);
    assert_eq!(schema["definitions"], json!({}));
}
