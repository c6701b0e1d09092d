//! The templates that have a name: chat templates in the forms that models and tutorials use.
//!
//! `message.input` is what an instruction's record has as `input`; `end` is [`Builtin::end`].

/// A named template.
#[derive(Debug)]
pub(super) struct Builtin {
    pub name: &'static str,
    pub source: &'static str,
    /// What stands before the record's response and is trained as part of it.
    pub lead: &'static str,
    /// What ends a message; with the tokenizer's end token behind it if the vocabulary does not have it.
    pub end: &'static str,
    /// Whether the tokenizer puts its beginning-of-sequence token before it.
    pub add_special: bool,
    /// Why it does not render tools, their calls and their results; none if it does.
    pub no_tools: Option<&'static str>,
}

/// Stanford Alpaca (Taori et al., 2023, <https://github.com/tatsu-lab/stanford_alpaca>), `PROMPT_DICT` in `train.py`,
/// with a line break at the end. A system message takes the introduction's place.
const ALPACA: &str = r"
{%- set ns = namespace(begun=false) %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {{- message.content + '\n\n' }}
        {%- set ns.begun = true %}
    {%- elif message.role == 'user' %}
        {%- if not ns.begun %}
            {{- 'Below is an instruction that describes a task' }}
            {{- ', paired with an input that provides further context' if message.input }}
            {{- '. Write a response that appropriately completes the request.\n\n' }}
            {%- set ns.begun = true %}
        {%- endif %}
        {{- '### Instruction:\n' + message.content + '\n\n' }}
        {{- '### Input:\n' + message.input + '\n\n' if message.input }}
    {%- elif message.role == 'assistant' %}
        {{- '### Response:\n' + message.content }}
        {{- eos_token + '\n\n' if not loop.last }}
    {%- else %}
        {{- raise_exception('the template has no messages of the role ' + message.role) }}
    {%- endif %}
{%- endfor %}
{{- '### Response:\n' if add_generation_prompt }}";

/// Message after message, a line each.
const PLAIN: &str = r"
{%- for message in messages %}
    {{- message.content }}
    {%- if message.role == 'assistant' %}
        {{- eos_token + '\n' if not loop.last }}
    {%- else %}
        {{- '\n' }}
        {{- message.input + '\n' if message.input }}
    {%- endif %}
{%- endfor %}";

/// OpenAI's Chat Markup Language as Qwen2.5 has it, without a system message of its own. Tools and their calls are in the
/// Hermes form (<https://github.com/NousResearch/Hermes-Function-Calling>), which Qwen2.5 and Qwen3 use.
const CHATML: &str = r#"
{%- set begun = messages and messages[0].role in ['system', 'developer'] %}
{%- if tools %}
    {{- '<|im_start|>' + (messages[0].role if begun else 'system') + '\n' }}
    {{- messages[0].content + '\n\n' if begun }}
    {{- '# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' }}
    {{- 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' }}
    {%- for tool in tools %}
        {{- '\n' }}{{- tool | tojson }}
    {%- endfor %}
    {{- '\n</tools>\n\nFor each function call, return a json object with function name and arguments within ' }}
    {{- '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": ' }}
    {{- '<args-json-object>}\n</tool_call>' + end + '\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user' if loop.first or loop.previtem.role != 'tool' }}
        {{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {{- end + '\n' if loop.last or loop.nextitem.role != 'tool' }}
    {%- elif not (tools and begun and loop.first) %}
        {{- '<|im_start|>' + message.role }}
        {{- '\n' + message.content if message.content or not message.tool_calls }}
        {{- '\n' + message.input if message.input }}
        {%- for call in message.tool_calls or [] %}
            {%- set call = call.function or call %}
            {{- '\n<tool_call>\n{"name": "' + call.name + '", "arguments": ' }}
            {{- call.arguments if call.arguments is string else call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- end + '\n' }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\n' if add_generation_prompt }}"#;

/// DeepSeek LLM's chat format, encoded as the tutorials that fine-tune it do: instruction and input run together, the
/// word `Assistant:` is learned with the answer, and the end token comes twice after the last answer, once as the
/// format's and once as the padding that is trained.
const DEEPSEEK: &str = r"
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- 'User: ' + message.content }}
        {{- message.input if message.input }}
        {{- '\n\n' }}
    {%- elif message.role == 'assistant' %}
        {{- 'Assistant: ' + message.content + eos_token }}
        {{- eos_token if loop.last }}
    {%- else %}
        {{- message.content + '\n\n' }}
    {%- endif %}
{%- endfor %}";

/// DeepSeek-R1's format: an answer begins with its thoughts, which may be empty; those of earlier answers are left out.
const DEEPSEEK_R1: &str = r"
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<｜User｜>' + message.content }}
        {{- '\n' + message.input if message.input }}
    {%- elif message.role == 'assistant' %}
        {%- set answer = message.content.split('</think>')[-1].lstrip('\n') %}
        {{- '<｜Assistant｜>' }}
        {%- if loop.last %}
            {%- set thoughts = '' %}
            {%- if message.reasoning_content %}
                {%- set thoughts = message.reasoning_content %}
            {%- elif '</think>' in message.content %}
                {%- set thoughts = message.content.split('</think>')[0].split('<think>')[-1] %}
            {%- endif %}
            {{- '<think>\n' + thoughts.strip('\n') + '\n</think>\n\n' }}
        {%- endif %}
        {{- answer + eos_token }}
    {%- else %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
{{- '<｜Assistant｜><think>\n' if add_generation_prompt }}";

/// What the model is to bear in mind as its thoughts, then question and answer.
const THINK: &str = r"
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- 'Question: ' + message.content }}
        {{- '\n' + message.input if message.input }}
        {{- '\n\nAnswer:' }}
    {%- elif message.role == 'assistant' %}
        {{- ' ' + message.content }}
        {{- eos_token + '\n\n' if not loop.last }}
    {%- else %}
        {{- '<think>' + message.content + '</think>\n\n' }}
    {%- endif %}
{%- endfor %}";

/// Zephyr's and Phi-3's format, which differ in what ends a message.
const ROLES: &str = r"
{%- for message in messages %}
    {{- '<|' + message.role + '|>\n' + message.content }}
    {{- '\n' + message.input if message.input }}
    {{- end + '\n' }}
{%- endfor %}
{{- '<|assistant|>\n' if add_generation_prompt }}";

/// The format is published without a form for tools.
const NO_FORM: Option<&str> = Some("has no form for tools");

pub(super) const BUILTIN: &[Builtin] = &[
    Builtin { name: "alpaca", source: ALPACA, lead: "", end: "", add_special: true, no_tools: NO_FORM },
    Builtin { name: "chatml", source: CHATML, lead: "", end: "<|im_end|>", add_special: true, no_tools: None },
    Builtin { name: "deepseek", source: DEEPSEEK, lead: "Assistant: ", end: "", add_special: false, no_tools: NO_FORM },
    Builtin {
        name: "deepseek-r1",
        source: DEEPSEEK_R1,
        lead: "",
        end: "",
        add_special: false,
        no_tools: Some(
            "has no form for tools: DeepSeek-R1's own template writes calls without the `<think>` that it opens for \
             every answer, so that no call would be generated as it is trained",
        ),
    },
    Builtin { name: "phi-3", source: ROLES, lead: "", end: "<|end|>", add_special: true, no_tools: NO_FORM },
    Builtin { name: "plain", source: PLAIN, lead: "", end: "", add_special: true, no_tools: NO_FORM },
    Builtin { name: "think", source: THINK, lead: " ", end: "", add_special: true, no_tools: NO_FORM },
    Builtin { name: "zephyr", source: ROLES, lead: "", end: "", add_special: true, no_tools: NO_FORM },
];

#[cfg(test)]
#[path = "builtin_tests.rs"]
mod tests;
