//! How far a run has come, on a terminal; nothing where standard error is none.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

/// Between two messages.
const VISITS: u64 = 1 << 12;

/// Between two looks at the terminal: a run that counts nothing moves the clock all the same.
const TICK: Duration = Duration::from_millis(200);

/// What is shown of runs: how many outputs they have looked at, and where. It leaves the terminal when it is dropped.
pub(crate) struct Counter {
    visits: AtomicU64,
    bar: ProgressBar,
}

impl Counter {
    pub(crate) fn new() -> Self {
        let bar = bar(None, "{spinner} {elapsed}  {msg}");
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { visits: AtomicU64::new(0), bar }
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
            }
        }
        self.stop.check(at)
    }

    fn describe(&self) -> String {
        self.stop.describe()
    }

    /// As the rule itself: a terminal is no reason to take a slower engine. A run that need not ask is not counted, and shows its time only.
    fn cuts(&self) -> bool {
        self.stop.cuts()
    }
}

#[cfg(test)]
mod tests {
    use fundtrace::trace::stop;
    use indicatif::TermLike;

    use super::*;

    /// A terminal that somebody looks at.
    #[derive(Debug)]
    struct Looked;

    impl TermLike for Looked {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, _: &str) -> std::io::Result<()> {
            Ok(())
        }
        fn write_str(&self, _: &str) -> std::io::Result<()> {
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_does_not_make_a_rule_cut() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(Looked)));
        assert!(!bar.is_hidden());
        let counter = Counter { visits: AtomicU64::new(0), bar };
        assert!(!counter.over(&stop::never()).cuts());
        assert!(counter.over(&stop::hops(1)).cuts());
    }
}
