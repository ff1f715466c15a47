//! Rules made of rules: set operations on what they cannot rule out.
//!
//! Returns a set as any rule does. `None` means that a rule does not apply, which is not the empty set: `and` needs both, `or` and `minus` go on with
//! what there is. Each works for either kind of rule, and a combination is of the kind that its parts are.

use std::fmt;

use super::{Change, Hindsight, Payment};
use crate::chain::{OutputSet, Tx};

/// Two rules in one, of which `$with` makes one answer.
macro_rules! pair {
    ($(#[$doc:meta])* $name:ident, $text:literal, $with:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<A, B>(A, B);

        impl<A, B> $name<A, B> {
            pub(super) fn new(a: A, b: B) -> Self {
                Self(a, b)
            }
        }

        impl<A: Change, B: Change> Change for $name<A, B> {
            fn name(&self) -> &'static str {
                $text
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                let Self(a, b) = self;
                vec![of(a.name(), a.version(), &a.parameters()), of(b.name(), b.version(), &b.parameters())]
            }
            fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
                let with: fn(Option<OutputSet>, Option<OutputSet>) -> Option<OutputSet> = $with;
                with(self.0.candidates(payment), self.1.candidates(payment))
            }
        }

        impl<A: Hindsight, B: Hindsight> Hindsight for $name<A, B> {
            fn name(&self) -> &'static str {
                $text
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                let Self(a, b) = self;
                vec![of(a.name(), a.version(), &a.parameters()), of(b.name(), b.version(), &b.parameters())]
            }
            fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
                let with: fn(Option<OutputSet>, Option<OutputSet>) -> Option<OutputSet> = $with;
                with(self.0.candidates(tx), self.1.candidates(tx))
            }
        }
    };
}

pair!(
    /// What both rules cannot rule out. See [`Change::and`].
    ///
    /// # Examples
    ///
    /// See [`Change`].
    And,
    "and",
    |a, b| Some(a?.intersection(&b?))
);
pair!(
    /// What either rule cannot rule out. See [`Change::or`].
    ///
    /// # Examples
    ///
    /// See [`Hindsight`].
    Or,
    "or",
    |a, b| match (a, b) {
        (Some(a), Some(b)) => Some(a.union(&b)),
        (a, b) => a.or(b),
    }
);
pair!(
    /// What one rule cannot rule out, without what the other names. See [`Change::minus`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("sketch.txt")]
    /// use fundtrace::change::{AddressReuse, Change, Client};
    /// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice")])]);
    /// assert_eq!(vouts(&chain, "t", &Client.minus(AddressReuse)), Some(vec![0]));
    /// ```
    Minus,
    "minus",
    |a, b| match (a?, b) {
        (a, Some(b)) => Some(a.difference(&b)),
        (a, None) => Some(a),
    }
);

/// One rule's part in a combination, as a parameter.
fn of(name: &str, version: u32, parameters: &[(&'static str, String)]) -> (&'static str, String) {
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (
        "of",
        if parameters.is_empty() {
            format!("{name} {version}")
        } else {
            format!("{name} {version} ({})", parameters.join(", "))
        },
    )
}

/// A rule that speaks only where one output is left. See [`Change::unique`].
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Change, Client};
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "carol")])]);
/// assert_eq!(vouts(&chain, "t", &Client), Some(vec![0, 1]));
/// assert_eq!(vouts(&chain, "t", &Client.unique()), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unique<A>(A);

impl<A> Unique<A> {
    pub(super) fn new(a: A) -> Self {
        Self(a)
    }
}

/// A rule that does not apply where an exception holds. See [`Change::unless`].
///
/// # Examples
///
/// See [the module](super).
#[derive(Clone, Copy)]
pub struct Unless<A, F>(A, F);

impl<A, F> Unless<A, F> {
    pub(super) fn new(a: A, exception: F) -> Self {
        Self(a, exception)
    }
}

impl<A: fmt::Debug, F> fmt::Debug for Unless<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unless").field(&self.0).finish_non_exhaustive()
    }
}

/// The same for either kind of rule, which differ in what they are asked about.
macro_rules! wrappers {
    ($kind:ident, $asked:ty) => {
        impl<A: $kind> $kind for Unique<A> {
            fn name(&self) -> &'static str {
                "unique"
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                vec![of(self.0.name(), self.0.version(), &self.0.parameters())]
            }
            fn candidates(&self, asked: $asked) -> Option<OutputSet> {
                self.0.candidates(asked).filter(|set| set.only().is_some())
            }
        }

        impl<A: $kind, F: Fn($asked) -> bool + Sync> $kind for Unless<A, F> {
            fn name(&self) -> &'static str {
                "unless"
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                vec![of(self.0.name(), self.0.version(), &self.0.parameters())]
            }
            fn candidates(&self, asked: $asked) -> Option<OutputSet> {
                if (self.1)(asked) { None } else { self.0.candidates(asked) }
            }
        }
    };
}

wrappers!(Change, &Payment<'_>);
wrappers!(Hindsight, Tx<'_>);

/// A rule that does not look ahead, among those that do. See [`Change::in_hindsight`].
///
/// # Examples
///
/// See [`Hindsight`].
#[derive(Clone, Copy, Debug)]
pub struct InHindsight<A>(A);

impl<A> InHindsight<A> {
    pub(super) fn new(a: A) -> Self {
        Self(a)
    }
}

impl<A: Change> Hindsight for InHindsight<A> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn version(&self) -> u32 {
        self.0.version()
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        self.0.parameters()
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        self.0.candidates(&Payment::of(tx)?)
    }
}
