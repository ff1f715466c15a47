//! How far a run has come, on a terminal; nothing where standard error is none.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use fundtrace::source::blk::Progress;
use fundtrace::trace::{Reason, Stop, Visit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over block files.
pub(crate) fn bytes(bytes: u64) -> ProgressBar {
    bar(Some(bytes), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left  {msg}")
}

/// A bar over transactions.
pub(crate) fn transactions(count: u64) -> ProgressBar {
    bar(Some(count), "{bar:30} {pos}/{len} transactions {per_sec} {eta} left")
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style)
}

pub(crate) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.bytes);
    bar.set_message(format!("height {}, {} transactions", progress.height, progress.txs));
}

/// Between two looks at the terminal.
const VISITS: u64 = 1 << 12;

/// What is shown of runs: how many outputs they have looked at, and where. It leaves the terminal when it is dropped.
pub(crate) struct Counter {
    visits: AtomicU64,
    bar: ProgressBar,
}

impl Counter {
    pub(crate) fn new() -> Self {
        Self { visits: AtomicU64::new(0), bar: bar(None, "{spinner} {elapsed}  {msg}") }
    }

    /// The rule, counting what it is asked.
    pub(crate) fn over<'s>(&'s self, stop: &'s dyn Stop) -> Counted<'s> {
        Counted { stop, counter: self }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A stop rule that counts what it is asked: how far the runs under it have come.
pub(crate) struct Counted<'s> {
    stop: &'s dyn Stop,
    counter: &'s Counter,
}

impl Stop for Counted<'_> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        let Counter { visits, bar } = self.counter;
        if !bar.is_hidden() {
            let visits = visits.fetch_add(1, Ordering::Relaxed) + 1;
            if visits.is_multiple_of(VISITS) {
                let height = at.output.tx().height().map_or(String::new(), |height| format!(", height {height}"));
                bar.set_message(format!("{visits} tainted outputs{height}"));
                bar.tick();
            }
        }
        self.stop.check(at)
    }

    fn describe(&self) -> String {
        self.stop.describe()
    }

    /// Where nobody looks nothing is counted, and the engines need not ask.
    fn cuts(&self) -> bool {
        self.stop.cuts() || !self.counter.bar.is_hidden()
    }
}
