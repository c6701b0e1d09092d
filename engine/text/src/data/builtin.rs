//! The templates that have a name: chat templates in the forms that models and tutorials use.
//!
//! `message.input` is what an instruction's record has as `input`; `end` is [`Builtin::end`].

/// A named template.
pub(super) struct Builtin {
    pub name: &'static str,
    pub source: &'static str,
    /// What stands before the record's response and is trained as part of it.
    pub lead: &'static str,
    /// What ends a message; with the tokenizer's end token behind it if the vocabulary does not have it.
    pub end: &'static str,
    /// Whether the tokenizer puts its beginning-of-sequence token before it.
    pub add_special: bool,
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

/// OpenAI's Chat Markup Language, as Qwen has it, without a system message of its own.
const CHATML: &str = r"
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' + message.content }}
    {{- '\n' + message.input if message.input }}
    {{- end + '\n' }}
{%- endfor %}
{{- '<|im_start|>assistant\n' if add_generation_prompt }}";

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

pub(super) const BUILTIN: &[Builtin] = &[
    Builtin { name: "alpaca", source: ALPACA, lead: "", end: "", add_special: true },
    Builtin { name: "chatml", source: CHATML, lead: "", end: "<|im_end|>", add_special: true },
    Builtin { name: "deepseek", source: DEEPSEEK, lead: "Assistant: ", end: "", add_special: false },
    Builtin { name: "deepseek-r1", source: DEEPSEEK_R1, lead: "", end: "", add_special: false },
    Builtin { name: "phi-3", source: ROLES, lead: "", end: "<|end|>", add_special: true },
    Builtin { name: "plain", source: PLAIN, lead: "", end: "", add_special: true },
    Builtin { name: "think", source: THINK, lead: " ", end: "", add_special: true },
    Builtin { name: "zephyr", source: ROLES, lead: "", end: "", add_special: true },
];

#[cfg(test)]
#[path = "builtin_tests.rs"]
mod tests;
