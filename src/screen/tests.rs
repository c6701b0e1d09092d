//! Frames, as a terminal would show them.

use super::{
    asks_to_stop,
    draw::{Now, draw},
    view::{Curve, View},
};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use framework_engine::{run::Metrics, train::Event};
use ratatui::{Terminal, backend::TestBackend};
use std::time::Duration;

/// A run in its 28th step of 56, with two evaluations.
fn view() -> View {
    let earlier = Metrics { step: 4, epoch: 0.5, loss: Some(6.0), ..Metrics::default() };
    let mut view = View::new("quickstart", &[earlier]);
    view.on(&Event::Begin { step: 4, total: 56 });
    for step in 5..=28 {
        view.on(&Event::Step { step, loss: 6.0 * 0.93_f64.powi(step as i32 - 4) });
        let line = Metrics { step, epoch: step as f64 / 8.0, ..Metrics::default() };
        if step % 4 == 0 {
            view.on(&Event::Metrics(&Metrics {
                loss: Some(1.0),
                learning_rate: Some(2e-4),
                grad_norm: Some(1.25),
                tokens_per_second: Some(1234.5),
                ..line.clone()
            }));
        }
        if step % 12 == 0 {
            let metrics = [("bleu".to_owned(), 0.25)].into();
            let loss = Some(60.0 / step as f64);
            view.on(&Event::Metrics(&Metrics { eval_loss: loss, eval_accuracy: Some(0.5), metrics, ..line }));
        }
    }
    let answers = [
        ("What is the capital of France?".to_owned(), "Paris.\nIt lies on the Seine.".to_owned()),
        ("Say it in Chinese.".to_owned(), "巴黎是法国的首都。".to_owned()),
    ];
    view.on(&Event::Samples { step: 24, answers: &answers });
    view
}

fn now() -> Now {
    Now {
        elapsed: Duration::from_secs(96),
        resident: Some(300 << 20),
        peak: Some(512 << 20),
        log: ["the earlier run was kept as runs/quickstart.1", "one", "two"].map(str::to_owned).to_vec(),
    }
}

fn frame(width: u16, height: u16, view: &View) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view, &now())).unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_terminal_of_80_by_24() {
    insta::assert_snapshot!(frame(80, 24, &view()), @r#"
"quickstart  training                                                            "
"█████████████████████28/56  00:01:36 passed, 00:01:52 left                      "
"┌ loss ────────────────────────────────────────┐┌ figures ─────────────────────┐"
"│6.25│⠢⡀                                       ││epoch         3.50            │"
"│    │ ⠈⠑⠢⣀                                    ││loss          1.0513          │"
"│    │     ⠉⠒⢄⡀    •                           ││learning rate 2.0e-4          │"
"│    │        ⠈⠑⠒⠤⣀                            ││gradient      1.25            │"
"│3.53│             ⠉⠒⠤⢄⣀                       ││tokens/s      1234            │"
"│    │                  ⠉⠉⠒⠢⠤⣀⣀        •       ││validation    2.5000          │"
"│    │                         ⠉⠑⠒⠤⠤⠤⢄⣀⡀       ││best          2.5000 at 24    │"
"│0.80│                                 ⠈⠉⠉⠑⠒⠒⠒⠤││accuracy      0.5000          │"
"│    └─────────────────────────────────────────││memory        300.00 MiB      │"
"│    4                                       28││at most       512.00 MiB      │"
"└──────────────────────────────────────────────┘└──────────────────────────────┘"
"┌ answers after step 24 ───────────────────────────────────────────────────────┐"
"│> What is the capital of France?                                              │"
"│Paris.                                                                        │"
"│It lies on the Seine.                                                         │"
"└──────────────────────────────────────────────────────────────────────────────┘"
"┌ log ─────────────────────────────────────────────────────────────────────────┐"
"│one                                                                           │"
"│two                                                                           │"
"└──────────────────────────────────────────────────────────────────────────────┘"
"q or Ctrl-C: save and end after this step                                       "
"#);
}

#[test]
fn a_terminal_of_120_by_40() {
    let mut view = view();
    view.on(&Event::Phase("evaluating"));
    insta::assert_snapshot!(frame(120, 40, &view), @r#"
"quickstart  evaluating                                                                                                  "
"█████████████████████████████████████████28/56  00:01:36 passed, 00:01:52 left                                          "
"┌ loss ────────────────────────────────────────────────────────────────────────────────┐┌ figures ─────────────────────┐"
"│6.25│                                                                     ┌──────────┐││epoch         3.50            │"
"│    │⠑⢄⡀                                                                  │training  │││loss          1.0513          │"
"│    │  ⠈⠢⡀                                                                │validation│││learning rate 2.0e-4          │"
"│    │    ⠈⠑⢄                                                              └──────────┘││gradient      1.25            │"
"│    │       ⠑⠤⡀                 •                                                     ││tokens/s      1234            │"
"│    │         ⠈⠢⢄                                                                     ││validation    2.5000          │"
"│    │            ⠑⠢⣀                                                                  ││best          2.5000 at 24    │"
"│    │               ⠉⠒⢄⡀                                                              ││accuracy      0.5000          │"
"│    │                  ⠈⠒⢄⡀                                                           ││memory        300.00 MiB      │"
"│    │                     ⠈⠑⠢⣀                                                        ││at most       512.00 MiB      │"
"│3.53│                         ⠉⠒⠤⣀                                                    ││bleu          0.2500          │"
"│    │                             ⠉⠢⢄⡀                                                ││                              │"
"│    │                                ⠈⠑⠢⠤⢄⣀                                           ││                              │"
"│    │                                      ⠉⠒⠤⢄⡀                        •             ││                              │"
"│    │                                          ⠈⠑⠢⠤⢄⣀                                 ││                              │"
"│    │                                                ⠉⠉⠒⠢⠤⣀⡀                          ││                              │"
"│    │                                                      ⠈⠉⠑⠒⠤⠤⣀⡀                   ││                              │"
"│    │                                                             ⠈⠉⠒⠒⠢⠤⠤⣀⣀           ││                              │"
"│    │                                                                      ⠉⠉⠑⠒⠒⠒⠤⠤⠤⣀⣀││                              │"
"│0.80│                                                                                 ││                              │"
"│    └─────────────────────────────────────────────────────────────────────────────────││                              │"
"│    4                                                                               28││                              │"
"└──────────────────────────────────────────────────────────────────────────────────────┘└──────────────────────────────┘"
"┌ answers after step 24 ───────────────────────────────────────────────────────────────────────────────────────────────┐"
"│> What is the capital of France?                                                                                      │"
"│Paris.                                                                                                                │"
"│It lies on the Seine.                                                                                                 │"
"│> Say it in Chinese.                                                                                                  │"
"│巴黎是法国的首都。                                                                                                    │" Hidden by multi-width symbols: [(2, " "), (4, " "), (6, " "), (8, " "), (10, " "), (12, " "), (14, " "), (16, " "), (18, " ")]
"│                                                                                                                      │"
"│                                                                                                                      │"
"└──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘"
"┌ log ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────┐"
"│one                                                                                                                   │"
"│two                                                                                                                   │"
"└──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘"
"q or Ctrl-C: save and end after this step                                                                               "
"#);
}

#[test]
fn before_the_first_step_and_while_stopping() {
    let mut view = View::new("quickstart", &[]);
    view.on(&Event::Begin { step: 0, total: 10 });
    view.stopping = true;
    let shown = frame(80, 24, &view);
    for part in ["quickstart  stopping after this step", "no step is done yet", "0/10", "- left", "end at once"] {
        assert!(shown.contains(part), "no {part} in\n{shown}");
    }
    let small = frame(40, 10, &view);
    assert!(small.contains("step 0/10; the terminal is too small"), "{small}");
    // Numbers that cannot be drawn are no reason to fail.
    view.on(&Event::Step { step: 1, loss: f64::NAN });
    view.on(&Event::Step { step: 2, loss: 3.0 });
    assert!(frame(80, 24, &view).contains("3.0000"));
}

#[test]
fn long_curves_are_thinned_out() {
    let mut curve = Curve::default();
    (1..=10_000).for_each(|step| curve.push(step, step as f64));
    assert!((500..=1001).contains(&curve.points.len()), "{}", curve.points.len());
    // Each point is the mean of the steps that end there.
    let (step, mean) = curve.points[1];
    let each = step - curve.points[0].0;
    assert_eq!(mean, step - (each - 1.0) / 2.0);
    assert!(curve.points.last().unwrap().0 > 9_900.0);
}

#[test]
fn a_run_that_goes_on_drops_what_it_writes_again() {
    let line = |step, loss, eval_loss| Metrics { step, loss, eval_loss, ..Metrics::default() };
    let earlier =
        [line(2, Some(3.0), None), line(4, Some(2.0), None), line(4, None, Some(2.5)), line(6, Some(1.0), None)];
    let mut view = View::new("x", &earlier);
    view.on(&Event::Begin { step: 4, total: 8 });
    assert_eq!((view.losses.points.as_slice(), view.best()), (&[(2.0, 3.0), (4.0, 2.0)][..], Some((4.0, 2.5))));
}

#[test]
fn keys_ask_to_stop() {
    let key = |code, modifiers| KeyEvent::new(code, modifiers);
    assert!(asks_to_stop(key(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(asks_to_stop(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!asks_to_stop(key(KeyCode::Char('c'), KeyModifiers::NONE)));
    let released = KeyEvent { kind: KeyEventKind::Release, ..key(KeyCode::Char('q'), KeyModifiers::NONE) };
    assert!(!asks_to_stop(released));
}
