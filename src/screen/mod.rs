//! The screen of `train --tui`: drawn by a thread of its own, so that it answers while a step is computed.

mod backend;
mod draw;
#[cfg(test)]
mod panicking;
#[cfg(test)]
mod tests;
mod view;

pub use view::View;

use crate::{held, signals::ask_to_stop};
use backend::Ansi;
use crossterm::{
    cursor,
    event::{self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    execute,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use draw::{Now, draw};
use framework_engine::{memory, train::Event};
use ratatui::Terminal;
use std::{
    io::{self, BufWriter},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The screen is drawn so often, and at every key.
const PAUSE: Duration = Duration::from_millis(200);
/// Lines of the log that are looked at.
const LINES: usize = 20;

/// Whether a screen covers the terminal.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back as it was, and prints what was said meanwhile. Does nothing without a screen: whoever ends the
/// process may call it.
pub fn leave() {
    if OPEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stderr(), LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
        held::end();
    }
}

/// A screen; the terminal is given back when it is dropped, in a panic too.
pub struct Screen {
    view: Arc<Mutex<View>>,
    painter: Option<JoinHandle<()>>,
}

impl Screen {
    /// Covers the terminal. The keys `q` and Ctrl-C ask to stop, as Ctrl-C does without a screen.
    pub fn open(view: View, stop: Arc<AtomicBool>) -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        held::begin();
        OPEN.store(true, Ordering::SeqCst);
        let mut screen = Self { view: Arc::new(Mutex::new(view)), painter: None };
        // From here on, dropping it gives the terminal back.
        execute!(io::stderr(), EnterAlternateScreen, cursor::Hide)?;
        let mut terminal = Terminal::new(Ansi(BufWriter::new(io::stderr())))?;
        let view = screen.view.clone();
        let painter = thread::Builder::new().name("screen".into()).spawn(move || {
            // Where the terminal is gone, training goes on without.
            let _ = paint(&mut terminal, &view, &stop);
        });
        screen.painter = Some(painter?);
        Ok(screen)
    }

    /// Takes up an event of the run.
    pub fn on(&self, event: &Event) {
        lock(&self.view).on(event);
        if let Event::Message(text) = event {
            eprintln!("{text}");
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        lock(&self.view).ended = true;
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
        }
        leave();
    }
}

fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

fn paint(
    terminal: &mut Terminal<Ansi<BufWriter<io::Stderr>>>,
    view: &Mutex<View>,
    stop: &AtomicBool,
) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let (resident, peak) = (memory::resident(), memory::peak());
        let now = Now { elapsed: begun.elapsed(), resident, peak, log: held::last(LINES) };
        // A copy: a slow terminal must not hold up training.
        let mut shown = lock(view).clone();
        if shown.ended || !OPEN.load(Ordering::SeqCst) {
            return Ok(());
        }
        shown.stopping = stop.load(Ordering::Relaxed);
        terminal.draw(|frame| draw(frame, &shown, &now))?;
        if event::poll(PAUSE)?
            && let Input::Key(key) = event::read()?
            && asks_to_stop(key)
        {
            ask_to_stop(stop);
        }
    }
}

fn asks_to_stop(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    // Windows tells when a key is let go, too.
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q' | 'Q') => !control,
            KeyCode::Char('c' | 'C') => control,
            _ => false,
        }
}
