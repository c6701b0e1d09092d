//! A frame of the screen.

use super::view::View;
use indicatif::{FormattedDuration, HumanBytes};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    symbols::Marker,
    text::{Line, Text},
    widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap},
};
use std::time::Duration;

/// Smaller screens show one line.
const SMALLEST: (u16, u16) = (60, 16);
/// Columns of the numbers.
const NUMBERS: u16 = 32;

/// What changes without an event.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// Since the session began.
    pub elapsed: Duration,
    /// Memory of this process, where the system tells.
    pub resident: Option<u64>,
    /// The most that it has had.
    pub peak: Option<u64>,
    /// The last lines that were said.
    pub log: Vec<String>,
}

/// Draws a frame.
pub fn draw(frame: &mut Frame, view: &View, now: &Now) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let small = format!("step {}/{}; the terminal is too small for more", view.step, view.total);
        return frame.render_widget(Paragraph::new(small).wrap(Wrap { trim: true }), area);
    }
    let samples = (area.height / 4).saturating_sub(1).max(5);
    let rows = [1, 1, 0, samples, 4, 1].map(|n| if n == 0 { Constraint::Fill(1) } else { Constraint::Length(n) });
    let [title, gauge, middle, samples, log, foot] = Layout::vertical(rows).areas(area);
    let [chart, numbers] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(NUMBERS)]).areas(middle);
    let doing = match (view.stopping, view.phase) {
        (true, _) => "stopping after this step",
        (false, Some(phase)) => phase,
        (false, None) => "training",
    };
    frame.render_widget(Line::from(vec![view.name.as_str().bold(), "  ".into(), doing.into()]), title);
    progress(frame, gauge, view, now);
    curves(frame, chart, view);
    let lines: Vec<_> =
        figures(view, now).into_iter().map(|(name, value)| Line::from(format!("{name:<14}{value}"))).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" figures ")), numbers);
    answers(frame, samples, view);
    let kept = now.log.len().saturating_sub(usize::from(log.height.saturating_sub(2)));
    let text: Vec<_> = now.log[kept..].iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" log ")), log);
    let keys = match view.stopping {
        true => "q or Ctrl-C once more: end at once, without saving",
        false => "q or Ctrl-C: save and end after this step",
    };
    frame.render_widget(Line::from(keys).style(Style::new().fg(Color::DarkGray)), foot);
}

fn progress(frame: &mut Frame, area: Rect, view: &View, now: &Now) {
    let done = view.step.saturating_sub(view.begun);
    let left = (done > 0).then(|| now.elapsed.mul_f64(view.total.saturating_sub(view.step) as f64 / done as f64));
    let left = left.map_or("-".to_owned(), |left| FormattedDuration(left).to_string());
    let passed = FormattedDuration(now.elapsed);
    let label = format!("{}/{}  {passed} passed, {left} left", view.step, view.total);
    let ratio = (view.step as f64 / view.total.max(1) as f64).clamp(0.0, 1.0);
    frame.render_widget(Gauge::default().ratio(ratio).label(label).gauge_style(Style::new().fg(Color::Cyan)), area);
}

/// Names and values beside the curves.
fn figures(view: &View, now: &Now) -> Vec<(String, String)> {
    let (trained, evaluated) = (&view.trained, view.evaluated.as_ref());
    let decimals = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.4}"));
    let bytes = |n: Option<u64>| n.map_or("-".to_owned(), |n| HumanBytes(n).to_string());
    let best = view.best().map_or("-".to_owned(), |(step, loss)| format!("{loss:.4} at {step}"));
    let mut all = vec![
        ("epoch", format!("{:.2}", trained.epoch)),
        ("loss", decimals(view.losses.points.last().map(|point| point.1))),
        ("learning rate", trained.learning_rate.map_or("-".to_owned(), |rate| format!("{rate:.1e}"))),
        ("gradient", trained.grad_norm.map_or("-".to_owned(), |norm| format!("{norm:.2}"))),
        ("tokens/s", trained.tokens_per_second.map_or("-".to_owned(), |speed| format!("{speed:.0}"))),
        ("validation", decimals(evaluated.and_then(|m| m.eval_loss))),
        ("best", best),
        ("accuracy", decimals(evaluated.and_then(|m| m.eval_accuracy))),
        ("memory", bytes(now.resident)),
        ("at most", bytes(now.peak)),
    ];
    let mut all: Vec<_> = all.drain(..).map(|(name, value)| (name.to_owned(), value)).collect();
    let metrics = evaluated.into_iter().flat_map(|m| &m.metrics);
    all.extend(metrics.map(|(name, value)| (name.clone(), format!("{value:.4}"))));
    all
}

fn curves(frame: &mut Frame, area: Rect, view: &View) {
    let (training, validation) = (&view.losses.points, &view.evaluations);
    let all = || training.iter().chain(validation);
    let block = Block::bordered().title(" loss ");
    if all().next().is_none() {
        return frame.render_widget(Paragraph::new("no step is done yet").block(block), area);
    }
    let bounds = |of: fn(&(f64, f64)) -> f64, pad: f64| {
        let (low, high) = all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let pad = if high > low { (high - low) * pad } else { 0.5 };
        [low - pad, high + pad]
    };
    let (x, y) = (bounds(|point| point.0, 0.0), bounds(|point| point.1, 0.05));
    let set = |name, data, graph, marker, color| {
        Dataset::default().name(name).data(data).graph_type(graph).marker(marker).style(Style::new().fg(color))
    };
    let mut sets = vec![set("training", training.as_slice(), GraphType::Line, Marker::Braille, Color::Cyan)];
    if !validation.is_empty() {
        sets.push(set("validation", validation.as_slice(), GraphType::Scatter, Marker::Dot, Color::Yellow));
    }
    let steps = x.map(|x| format!("{:.0}", x.max(0.0)));
    let middle = (y[0] + y[1]) / 2.0;
    let losses = [y[0], middle, y[1]].map(|y| format!("{y:.2}"));
    let chart = Chart::new(sets)
        .block(block)
        .x_axis(Axis::default().bounds(x).labels(steps))
        .y_axis(Axis::default().bounds(y).labels(losses));
    frame.render_widget(chart, area);
}

fn answers(frame: &mut Frame, area: Rect, view: &View) {
    let (title, mut text) = match &view.samples {
        Some((step, answers)) => {
            let pair = |(prompt, answer): &(String, String)| {
                let mut lines = vec![Line::from(format!("> {prompt}")).style(Style::new().fg(Color::Yellow))];
                lines.extend(answer.lines().map(|line| Line::from(line.to_owned())));
                lines
            };
            (format!(" answers after step {step} "), Text::from(answers.iter().flat_map(pair).collect::<Vec<_>>()))
        }
        None => (" answers ".to_owned(), Text::from("none yet; `generate.prompts` are answered at evaluations")),
    };
    text.lines.truncate(usize::from(area.height));
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(title)), area);
}
