//! Traces written for people and for programs.
//!
//! A [`Report`] holds the traces of one run side by side: one view, the same seeds and conventions, one trace a rule. [`json`] is the whole
//! result and a stable interface; [`dot`] draws; behind features of the same names stand `graphml`, `csv` and `table`. Every report
//! holds the [`Manifest`], which says what went in and under which conventions, with neither clock nor path, so that two runs on the
//! same facts are equal byte for byte.

#[cfg(feature = "csv")]
pub mod csv;
pub mod dot;
mod drawing;
#[cfg(feature = "graphml")]
pub mod graphml;
pub mod json;
mod manifest;
mod mix;
mod routes;
mod spread;
#[cfg(feature = "table")]
pub mod table;

pub use manifest::{Conventions, Facts, Given, Manifest, Seen};
pub use spread::{Arrived, Spread};

use crate::error::{Error, SpecError};
use crate::id::OutputIndex;
use crate::spec::ResolvedSeed;
use crate::trace::{Bound, PathLimits, Trace};

/// Traces of one run, known to belong together.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &Rule::ALL, &stop::never(), &Options::default());
/// let mut bytes = Vec::new();
/// report::json::write(&Report::new(&traces)?, &mut bytes)?;
/// let twice = [traces[0].clone(), traces[0].clone()];
/// assert!(Report::new(&twice).unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report<'t, 'c> {
    traces: &'t [Trace<'c>],
    given: &'t [ResolvedSeed],
    explain: &'t [OutputIndex],
    limits: PathLimits,
    bounds: &'t [Bound],
    routes_to: &'t [OutputIndex],
}

impl<'t, 'c> Report<'t, 'c> {
    /// Takes the traces of one run.
    ///
    /// # Errors
    ///
    /// When there is none, or when they differ in chain, height, seeds, stops or conventions, or two are of rules of one name
    /// ([`Error::is_spec`]): a comparison would compare different things.
    pub fn new(traces: &'t [Trace<'c>]) -> Result<Self, Error> {
        let Some((first, others)) = traces.split_first() else {
            return Err(SpecError::Mixed { what: "there is no trace" }.into());
        };
        let mixed = |what| Err(SpecError::Mixed { what }.into());
        for other in others {
            if !other.view().is_of_same_chain(first.view()) {
                return mixed("they are of different chains");
            }
            if other.view().height() != first.view().height() {
                return mixed("they are as of different heights");
            }
            if (other.seeds(), other.unseeded(), other.sources()) != (first.seeds(), first.unseeded(), first.sources())
            {
                return mixed("their seeds differ");
            }
            if other.stop() != first.stop() || other.options() != first.options() {
                return mixed("their stops or conventions differ");
            }
        }
        let named =
            |trace: &Trace<'_>| traces.iter().filter(|other| other.policy().name == trace.policy().name).count();
        if traces.iter().any(|trace| named(trace) > 1) {
            return mixed("two are of rules of one name");
        }
        Ok(Self { traces, given: &[], explain: &[], limits: PathLimits::default(), bounds: &[], routes_to: &[] })
    }

    /// Says how the seeds were written, where they were; otherwise they are listed by output.
    #[must_use]
    pub fn seeds(mut self, given: &'t [ResolvedSeed]) -> Self {
        self.given = given;
        self
    }

    /// Names outputs whose evidence paths are wanted, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn explain(mut self, outputs: &'t [OutputIndex]) -> Self {
        self.explain = outputs;
        self
    }

    /// Sets how far evidence is searched.
    #[must_use]
    pub fn paths(mut self, limits: PathLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds bounds that hold under any rule, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn bounds(mut self, bounds: &'t [Bound]) -> Self {
        self.bounds = bounds;
        self
    }

    /// Names outputs to which the best routes are wanted, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn routes_to(mut self, outputs: &'t [OutputIndex]) -> Self {
        self.routes_to = outputs;
        self
    }

    /// Returns the traces.
    pub fn traces(&self) -> &'t [Trace<'c>] {
        self.traces
    }

    /// Compares the rules end by end, in chain order.
    pub fn spreads(&self) -> Vec<Spread> {
        spread::spreads(self.traces)
    }

    /// Describes the run.
    pub fn manifest(&self) -> Manifest {
        Manifest::of(self)
    }
}

/// Writes control characters and those that turn the direction of text as escapes: labels come from strangers, and must not move a
/// terminal's cursor or hide a row.
#[cfg(any(feature = "csv", feature = "table"))]
fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    let hides = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hides) {
        return text.into();
    }
    let escaped = text.chars().map(|c| if hides(c) { c.escape_unicode().to_string() } else { c.to_string() });
    escaped.collect::<String>().into()
}
