//! Which transactions are mixes: the caller's rules and lists, at a confidence that the caller chose.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chain::{Tx, View};
use crate::detect::coinjoin::Rules;
use crate::detect::{Confidence, Finding, Verdict};
use crate::id::TxIndex;
use crate::trace::{Reason, Stop, Visit};

/// Which transactions are mixes. What is undecided, or less sure than asked for, is taken for none and named ([`Trace::suspects`]).
///
/// [`Trace::suspects`]: crate::trace::Trace::suspects
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
/// use fundtrace::trace::Mixes;
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// let tx = chain.view().txs().find(|tx| tx.inputs().len() == 5).unwrap();
/// let mixes = Mixes::new(Rules::default(), Confidence::from_percent(60));
/// assert_eq!(mixes.find(tx), Mixes::of(chain.view(), Rules::default(), Confidence::from_percent(60)).find(tx));
/// assert_eq!(mixes.find(tx).unwrap().rule, "whirlpool/1");
/// assert!(Mixes::new(Rules::default(), Confidence::from_percent(99)).find(tx).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mixes {
    rules: Rules,
    confidence_min: Confidence,
    known: Option<BTreeMap<TxIndex, Finding>>,
}

impl Mixes {
    /// The confidence from which on the command line calls a transaction a mix, in per cent: there the protocols with a mark of their own
    /// begin.
    pub const PERCENT: u32 = 60;

    /// Asks the rules about each transaction that a trace comes to: best for one trace.
    pub fn new(rules: Rules, confidence_min: Confidence) -> Self {
        Self { rules, confidence_min, known: None }
    }

    /// Asks the rules about every transaction of a view once, on the caller's rayon pool: best for many traces of one view. The answers hold
    /// for this chain alone.
    pub fn of(view: View<'_>, rules: Rules, confidence_min: Confidence) -> Self {
        let lazy = Self::new(rules, confidence_min);
        let found = view.gather(|tx, found| found.extend(lazy.look(tx).map(|finding| (tx.index(), finding))));
        Self { known: Some(found.into_iter().collect()), ..lazy }
    }

    /// Says why a transaction is a mix; `None` where it is none.
    pub fn find(&self, tx: Tx<'_>) -> Option<Finding> {
        self.look(tx).filter(|finding| self.affirms(finding))
    }

    /// Says what the rules hold of a transaction, whether it suffices or not; `None` where they see no mix or say that it is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
    /// use fundtrace::trace::Mixes;
    /// let chain = detect::sketch(&[9_000_000, 7_000_000, 8_000_000], &[5_000_000, 5_000_000, 5_000_000, 3_999_000, 1_999_000])?;
    /// let tx = chain.view().txs().find(|tx| tx.inputs().len() == 3).unwrap();
    /// let mixes = Mixes::new(Rules::default(), Confidence::from_percent(60));
    /// let suspected = mixes.look(tx).unwrap();
    /// assert!(suspected.rule == "joinmarket/1" && !mixes.affirms(&suspected));
    /// assert!(mixes.find(tx).is_none());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn look(&self, tx: Tx<'_>) -> Option<Finding> {
        if let Some(known) = &self.known {
            return known.get(&tx.index()).cloned();
        }
        if tx.is_coinbase() {
            return None;
        }
        self.rules.classify(tx).filter(|finding| finding.verdict != Verdict::No)
    }

    /// Says what the rules would hold of a transaction that the caller's list says is no mix; `None` for any other.
    pub(in crate::trace) fn overruled(&self, tx: Tx<'_>) -> Option<Finding> {
        let Rules { allow, veto, .. } = &self.rules;
        if veto.is_empty() {
            return None;
        }
        let txid = tx.txid();
        let listed = veto.contains(&txid) && !allow.contains(&txid);
        listed.then(|| self.rules.by_form(tx)).flatten().filter(|finding| finding.verdict != Verdict::No)
    }

    /// True when a finding is sure enough to be acted on.
    ///
    /// # Examples
    ///
    /// See [`look`](Self::look).
    pub fn affirms(&self, finding: &Finding) -> bool {
        finding.is_yes() && finding.confidence >= self.confidence_min
    }

    /// Returns the confidence from which on a transaction is taken for a mix.
    pub fn confidence_min(&self) -> Confidence {
        self.confidence_min
    }

    /// Returns the rules with the caller's lists.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Makes a stop of it, for the engines and runs that know no other way: the trace ends at outputs whose spender is a mix.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
    /// use fundtrace::trace::{self, Mixes, Options, Reason, stop};
    /// use fundtrace::taint::Rule;
    /// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
    /// let view = chain.view();
    /// let tx = view.txs().find(|tx| tx.inputs().len() == 5).unwrap();
    /// let seeds = [tx.inputs().next().unwrap().prevout().unwrap().seed("theft")];
    /// let mixes = Mixes::new(Rules::default(), Confidence::from_percent(60));
    /// let reached = trace::reach(view, &seeds, Rule::Fifo, &mixes.stop(), &Options::default());
    /// assert_eq!(reached.ends().next().unwrap().reason.to_string(), "mix (whirlpool, rule whirlpool/1, confidence 95 %)");
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn stop(&self) -> MixStop<'_> {
        MixStop { mixes: self }
    }

    /// Says what is called a mix.
    pub fn describe(&self) -> String {
        let Rules { allow, veto, coordinators, budget, .. } = &self.rules;
        let mut text = format!("mixes (from {} %", self.confidence_min.to_ppm() / 10_000);
        for (name, len) in [("allowed", allow.len()), ("vetoed", veto.len()), ("coordinators", coordinators.len())] {
            if len > 0 {
                text += &format!(", {len} {name}");
            }
        }
        if *budget != Rules::default().budget {
            text += &format!(", budget {budget}");
        }
        text + ")"
    }
}

/// Made by [`Mixes::stop`].
///
/// # Examples
///
/// See [`Mixes::stop`].
#[derive(Clone, Copy, Debug)]
pub struct MixStop<'m> {
    mixes: &'m Mixes,
}

impl Stop for MixStop<'_> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        self.mixes.find(at.spender?).map(|finding| Reason::Mix(Arc::new(Mix::of(&finding))))
    }

    fn describe(&self) -> String {
        format!("stop at {}", self.mixes.describe())
    }
}

/// What is said of the mix at which a trace ended: an inference.
///
/// # Examples
///
/// See [`Mixes::stop`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mix {
    /// The protocol.
    pub protocol: String,
    /// The rule and its version.
    pub rule: String,
    /// How sure the rule is, in parts of a million.
    pub confidence_ppm: u32,
    pub(crate) text: String,
}

impl Mix {
    pub(crate) fn of(finding: &Finding) -> Self {
        let (protocol, rule, confidence_ppm) = (finding.protocol, finding.rule, finding.confidence.to_ppm());
        let text = format!("{protocol}, rule {rule}, confidence {} %", confidence_ppm / 10_000);
        Self { protocol: protocol.into(), rule: rule.into(), confidence_ppm, text }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
