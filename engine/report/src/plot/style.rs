//! Colours and type of plots.

/// Colours of lines that people with defects of colour vision tell apart (Okabe and Ito, 2008), darker for white paper, and
/// lighter for dark screens.
pub(super) const COLOURS: [(&str, &str); 8] = [
    ("#0064a4", "#56b4e9"),
    ("#c24a00", "#f08a3c"),
    ("#007a58", "#2fc79b"),
    ("#a3447c", "#dc92bf"),
    ("#7a6a00", "#e3cf3a"),
    ("#5b4fc4", "#a79bff"),
    ("#6b6b6b", "#b0b0b0"),
    ("#9b2226", "#ff8b8b"),
];

/// The style of plots, for light and dark.
pub fn style() -> String {
    let colours = |dark: bool| {
        let of =
            |(i, (light, night)): (usize, &(&str, &str))| format!(".c{i}{{--c:{}}}", if dark { night } else { light });
        COLOURS.iter().enumerate().map(of).collect::<String>()
    };
    format!(
        ".plot{{font:12px system-ui,sans-serif;--ink:#222;--faint:#767676;--rule:#e3e3e3}}\
         .plot .title{{font-weight:600;font-size:14px;fill:var(--ink)}}.plot .tick{{fill:var(--ink)}}\
         .plot .label{{fill:var(--faint)}}.plot .grid{{stroke:var(--rule)}}.plot .axis{{stroke:var(--faint)}}\
         .plot .line{{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}}.plot .dot{{fill:var(--c)}}\
         .plot .filled{{fill:var(--c);fill-opacity:.25;stroke:var(--c);stroke-width:1.4}}{}\
         @media screen and (prefers-color-scheme:dark){{.plot{{--ink:#e6e6e6;--faint:#9a9a9a;--rule:#3a3a3a}}{}}}",
        colours(false),
        colours(true)
    )
}
