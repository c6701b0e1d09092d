//! Model folders whose weights a quantization method has packed.

use crate::setting::{Setting, copied_base};
use serde_json::{Map, Value, json};

/// A tensor of zeros: what follows its module's name, element type, shape and bytes.
type Part = (&'static str, &'static str, &'static [usize], usize);

/// The base model with the tensors of a method in the place of the attention's projections, which are `[96, 32]`.
fn pack(setting: &Setting, parts: &[Part]) {
    let bytes = setting.bytes("model/model.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let old: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let (mut header, mut data, mut replaced) = (Map::new(), Vec::new(), 0);
    let mut put = |name: String, dtype: &Value, shape: &Value, content: &[u8]| {
        let begin = data.len();
        data.extend_from_slice(content);
        header.insert(name, json!({ "dtype": dtype, "shape": shape, "data_offsets": [begin, data.len()] }));
    };
    for (name, tensor) in old.iter().filter(|(name, _)| *name != "__metadata__") {
        let Some(module) = name.strip_suffix("query_key_value.weight") else {
            let at = |i: usize| 8 + length + tensor["data_offsets"][i].as_u64().unwrap() as usize;
            put(name.clone(), &tensor["dtype"], &tensor["shape"], &bytes[at(0)..at(1)]);
            continue;
        };
        replaced += 1;
        for (end, dtype, shape, size) in parts {
            put(format!("{module}query_key_value.{end}"), &json!(dtype), &json!(shape), &vec![0; *size]);
        }
    }
    assert_eq!(replaced, 2);
    let header = serde_json::to_vec(&header).unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    std::fs::write(setting.path("model/model.safetensors"), file).unwrap();
}

/// Names, element types and shapes as the methods' own programs write them for a projection `[96, 32]`.
#[test]
fn packed_weights_are_refused_by_the_name_of_their_method() {
    let bnb4 = json!({ "quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4" });
    let bnb8 = json!({ "quant_method": "bitsandbytes", "load_in_8bit": true });
    let gptq = json!({ "quant_method": "gptq", "bits": 4, "group_size": 32 });
    let awq = json!({ "quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm" });
    let fp8 = json!({ "quant_method": "fp8", "weight_block_size": [32, 32] });
    let methods: [(&str, Value, &[Part]); 5] = [
        (
            "bitsandbytes",
            bnb4,
            &[
                ("weight", "U8", &[1536, 1], 1536),
                ("weight.absmax", "F32", &[48], 192),
                ("weight.quant_map", "F32", &[16], 64),
                ("weight.quant_state.bitsandbytes__nf4", "U8", &[80], 80),
            ],
        ),
        ("bitsandbytes", bnb8, &[("weight", "I8", &[96, 32], 3072), ("SCB", "F32", &[96], 384)]),
        (
            "gptq",
            gptq,
            &[
                ("qweight", "I32", &[4, 96], 1536),
                ("qzeros", "I32", &[1, 12], 48),
                ("scales", "F16", &[1, 96], 192),
                ("g_idx", "I32", &[32], 128),
            ],
        ),
        (
            "awq",
            awq,
            &[("qweight", "I32", &[32, 12], 1536), ("qzeros", "I32", &[1, 12], 48), ("scales", "F16", &[1, 96], 192)],
        ),
        ("fp8", fp8, &[("weight", "F8_E4M3", &[96, 32], 3072), ("weight_scale_inv", "F32", &[3, 1], 12)]),
    ];
    for (name, settings, parts) in methods {
        let setting = Setting::new();
        copied_base(&setting);
        pack(&setting, parts);
        let mut config: Value = serde_json::from_str(&setting.read("model/config.json")).unwrap();
        config["quantization_config"] = settings;
        setting.write("model/config.json", &config.to_string());
        for args in [
            vec!["check", "recipe.toml", "--set", "model.weights=\"model\""],
            vec!["train", "recipe.toml", "--set", "model.weights=\"model\""],
            vec!["generate", "--model", "model", "--prompt", "Hello"],
        ] {
            let err = setting.run(args).failed(2);
            let expected = format!("the weights are quantized with {name}, which is not read yet");
            assert!(err.contains(&expected) && err.contains("dequantize().save_pretrained"), "{name}: {err}");
        }
        assert!(!setting.path("runs").exists());
    }
}
