//! Routes: through which transactions coins can have come from a seed to an output that taint reached.
//!
//! A route runs on the touched graph: from a tainted output that was carried into a transaction to any tainted output of that
//! transaction, and through a tainted fee into the coinbase. It says that the transactions connect the two ends this way, not which
//! satoshis went: that is [`Trace::paths`], and there the rule decides. A route begins at a seed and runs into no other one, because
//! taint that reaches a seed is displaced. Every output stands before its spender, so every route respects time.
//!
//! # How routes are ranked
//!
//! By [`Order`]. Routes that the order calls equal are compared where they part, going back from their ends: first what came before,
//! up to and with the input by which each joins, by the same order; then the input that stands first in the chain. So the answer depends
//! on the chain alone.
//!
//! # How it works
//!
//! Every order has the property that two routes into one transaction keep their rank, or become equal, however they go on. So one pass
//! over the transactions, each after all that feed it, finds the best way into each; the next best are made only when they are asked
//! for (recursive enumeration, Jiménez and Marzal 1999).

mod search;
mod share;

use bitcoin::Amount;

use self::search::Search;
use super::{Trace, Via};
use crate::id::{OutputIndex, SourceIndex, TxIndex};

pub use share::Share;

/// Which route is better.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::route::Order;
/// assert_eq!(Order::default(), Order::FewestHops);
/// assert_eq!(Order::LeastMixing.as_str(), "least-mixing");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Order {
    /// That of fewer hops; of equals the wider one.
    #[default]
    FewestHops,
    /// The wider one: that whose narrowest step is greater.
    Widest,
    /// That of which less was mixed with other money: the product of its [shares](Share) is greater, by [`Route::mixing`]; then that of
    /// fewer hops, then the wider one. Where steps of value 0 were spent the product is 0; there the fewer such steps the better, then by
    /// the product of the others.
    LeastMixing,
    /// That whose last transaction stands first in the chain; then that of fewer hops, then the wider one. A coinbase counts as the last
    /// of its block, because it takes that block's fees. Where a transaction's height is unknown it counts where it stands.
    Earliest,
}

impl Order {
    /// Returns the name, in kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FewestHops => "fewest-hops",
            Self::Widest => "widest",
            Self::LeastMixing => "least-mixing",
            Self::Earliest => "earliest",
        }
    }
}

/// What the width of a step is.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::trace::route::Width::default(), fundtrace::trace::route::Width::Value);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Width {
    /// The value of the output, or the whole fee: no conserving rule can bring more this way, whatever it is.
    #[default]
    Value,
    /// What of it is tainted, over all sources: the rule of the trace brought no more this way.
    Tainted,
}

/// What routes to look for, and how many.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::trace::route::{Order, RouteOptions, Width};
/// let options = RouteOptions::default().order(Order::Widest).width(Width::Tainted).least(Amount::from_sat(1000)).routes(3);
/// assert_eq!((options.routes_max, RouteOptions::default().routes_max), (3, 16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouteOptions {
    /// Which route is better.
    pub order: Order,
    /// What the width of a step is.
    pub width: Width,
    /// No step of a route may be narrower than this, its two ends included.
    pub least: Amount,
    /// How many routes to return.
    pub routes_max: usize,
}

impl Default for RouteOptions {
    /// The 16 of fewest hops, by value, however narrow.
    fn default() -> Self {
        Self { order: Order::default(), width: Width::default(), least: Amount::ZERO, routes_max: 16 }
    }
}

impl RouteOptions {
    /// Sets which route is better.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets what the width of a step is.
    #[must_use]
    pub fn width(mut self, width: Width) -> Self {
        self.width = width;
        self
    }

    /// Sets how narrow a step may be.
    #[must_use]
    pub fn least(mut self, least: Amount) -> Self {
        self.least = least;
        self
    }

    /// Sets how many routes to return.
    #[must_use]
    pub fn routes(mut self, max: usize) -> Self {
        self.routes_max = max;
        self
    }
}

/// What was found.
///
/// # Examples
///
/// See [`Trace::routes`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Routes {
    /// The routes, the best first.
    pub routes: Vec<Route>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// A route from a seed to an output.
///
/// # Examples
///
/// See [`Trace::routes`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Route {
    /// The source that the seed belongs to.
    pub source: SourceIndex,
    /// From the seed to the output; a route to a seed is that seed alone.
    pub steps: Vec<RouteStep>,
    /// From output to output; a way through a fee into a coinbase counts one, as in [`Touch::hops`](super::Touch::hops); between
    /// owners, moves.
    pub hops: u32,
    /// The narrowest step's width, its two ends included.
    pub width: Amount,
    /// The sum of [`Share::mixing`] over the steps, in units of 2^-32 bits: 0 where nothing was mixed in anywhere.
    ///
    /// Too small by less than 2 units a step, so routes whose products differ by less may come out in the wrong order; the shares
    /// themselves are exact. [`Share::ENDLESS`] where a step of value 0 was spent.
    pub mixing: u64,
}

impl Route {
    /// Returns the seed.
    pub fn seed(&self) -> Option<OutputIndex> {
        self.steps.first().and_then(RouteStep::output)
    }

    /// Returns the output that the route leads to.
    pub fn end(&self) -> Option<OutputIndex> {
        self.steps.last().and_then(RouteStep::output)
    }

    /// Iterates the shares along the route, exactly.
    pub fn shares(&self) -> impl Iterator<Item = Share> + '_ {
        self.steps.iter().filter_map(|step| step.share)
    }
}

/// An output on a route, or a fee.
///
/// # Examples
///
/// See [`Trace::routes`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouteStep {
    /// The output, or the transaction whose fee it is.
    pub via: Via,
    /// The transaction that the route goes into by it: the output's spender, or the coinbase; `None` at the end of the route.
    pub into: Option<TxIndex>,
    /// The output's value, or the whole fee.
    pub value: Amount,
    /// What of it is tainted, over all sources.
    pub tainted: Amount,
    /// What part it is of all that came into that transaction; `None` at the end of the route.
    pub share: Option<Share>,
}

impl RouteStep {
    /// Returns the output; `None` where it is a fee.
    pub fn output(&self) -> Option<OutputIndex> {
        match self.via {
            Via::Output(output) => Some(output),
            Via::Fee(_) => None,
        }
    }
}

impl Trace<'_> {
    /// Finds the best routes from the seeds to any of a set of outputs, the best first.
    ///
    /// Outputs that taint did not reach have no route; an output named twice counts once.
    ///
    /// # Complexity
    ///
    /// Time and memory O(n) for the first route, in the part of the trace that lies before the outputs, and O(l log n) for each further
    /// one, where l is the number of its steps. A coinbase on the way costs a pass over its block.
    ///
    /// # Panics
    ///
    /// When an output's index is not from this chain.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::taint::Poison;
    /// use fundtrace::trace::route::{Order, RouteOptions};
    /// use fundtrace::trace::{self, Options, stop};
    ///
    /// // 10 stolen satoshis are split 7 and 3; the 3 come back to the 7 through a transaction of their own.
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
    /// let spend = |n, vout| NewInput::new(OutPoint::new(txid(n), vout));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(2), vec![spend(1, 0).prevout(out(10))], vec![out(7), out(3)]))?;
    /// builder.insert(NewTx::claimed(txid(3), vec![spend(2, 1)], vec![out(3)]))?;
    /// builder.insert(NewTx::claimed(txid(4), vec![spend(2, 0), spend(3, 0)], vec![out(10)]))?;
    /// let chain = builder.finish()?;
    ///
    /// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap();
    /// let trace = trace::forward(chain.view(), &[stolen.seed("theft")], &Poison, &stop::never(), &Options::default());
    /// let end = trace.ends()[0].output;
    ///
    /// let found = trace.routes(&[end], &RouteOptions::default().order(Order::Widest));
    /// let widths: Vec<u64> = found.routes.iter().map(|route| route.width.to_sat()).collect();
    /// assert_eq!((widths, found.more), (vec![7, 3], false));
    /// let shares: Vec<String> = found.routes[0].shares().map(|share| share.to_string()).collect();
    /// assert_eq!(shares, ["10/10", "7/10"]);
    /// assert_eq!(found.routes[1].hops, 3);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn routes(&self, to: &[OutputIndex], options: &RouteOptions) -> Routes {
        let mut search = Search::new(self, to, options);
        let mut routes = Vec::new();
        while let Some(route) = search.next_route() {
            if routes.len() == options.routes_max {
                return Routes { routes, more: true };
            }
            routes.push(route);
        }
        Routes { routes, more: false }
    }

    /// Finds the route to any of the outputs whose narrowest step has the greatest value; `None` when taint reached none of them.
    ///
    /// The answer of [`routes`](Self::routes) for one route by [`Order::Widest`].
    pub fn widest_route(&self, to: &[OutputIndex]) -> Option<Route> {
        self.best_route(to, Order::Widest)
    }

    /// Finds the route to any of the outputs of which least was mixed with other money; `None` when taint reached none of them.
    ///
    /// The answer of [`routes`](Self::routes) for one route by [`Order::LeastMixing`].
    pub fn least_mixing_route(&self, to: &[OutputIndex]) -> Option<Route> {
        self.best_route(to, Order::LeastMixing)
    }

    /// Finds the route by which taint arrived first at any of the outputs; `None` when it reached none of them.
    ///
    /// The answer of [`routes`](Self::routes) for one route by [`Order::Earliest`].
    pub fn earliest_route(&self, to: &[OutputIndex]) -> Option<Route> {
        self.best_route(to, Order::Earliest)
    }

    fn best_route(&self, to: &[OutputIndex], order: Order) -> Option<Route> {
        Search::new(self, to, &RouteOptions::default().order(order)).next_route()
    }
}
