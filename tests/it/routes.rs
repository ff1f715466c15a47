//! Routes against all routes written out, and connections against a plain pass over all outputs.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use fundtrace::bitcoin::Amount;
use fundtrace::tag::{Tag, Tags};
use fundtrace::taint::{Fifo, Poison, Taint};
use fundtrace::trace::route::{Order, Route, RouteOptions, Share, Width};
use fundtrace::trace::{self, ConnectLimit, ConnectLimits, Connection, Fees, Options, Trace, Via, connect, stop};
use fundtrace::{BlockHeight, Chain, OutputIndex, TxIndex, View};
use proptest::prelude::*;

use crate::mini::{
    In, Mini, Out, Row, StopRow, follow, height, name_of, name_of_outpoint, outpoint, sat, script, seed,
};
use crate::random::{Case, FIRST, case};

const ORDERS: [Order; 4] = [Order::FewestHops, Order::Widest, Order::LeastMixing, Order::Earliest];

/// What the blocks of random chains create.
const SUBSIDY: u64 = 37;

/// More routes than these are not written out.
const MANY: usize = 3_000;

/// All routes to the outputs, from the seed on; `None` where there are too many.
fn all_routes(trace: &Trace<'_>, to: &BTreeSet<OutputIndex>) -> Option<Vec<Vec<Via>>> {
    let seeds: BTreeSet<Via> = trace.seeds().iter().map(|seed| Via::Output(seed.output)).collect();
    let mut into: BTreeMap<TxIndex, Vec<Via>> = BTreeMap::new();
    for carry in trace.carries() {
        into.entry(carry.to).or_default().push(carry.via);
    }
    let mut whole = Vec::new();
    let touched = to.iter().filter(|output| trace.touch(**output).is_some());
    // Back to front.
    let mut parts: Vec<Vec<Via>> = touched.map(|output| vec![Via::Output(*output)]).collect();
    while let Some(part) = parts.pop() {
        if whole.len() + parts.len() > MANY {
            return None;
        }
        let last = part[part.len() - 1];
        if seeds.contains(&last) {
            whole.push(part.into_iter().rev().collect());
            continue;
        }
        let tx = match last {
            Via::Output(output) => trace.view().output(output).tx().index(),
            Via::Fee(payer) => payer,
            _ => unreachable!(),
        };
        for via in into.get(&tx).into_iter().flatten() {
            parts.push(part.iter().copied().chain([*via]).collect());
        }
    }
    Some(whole)
}

/// A trace with the plainest ways to weigh a route.
struct Plain<'t, 'c> {
    trace: &'t Trace<'c>,
    order: Order,
    width: Width,
}

impl Plain<'_, '_> {
    fn amounts(&self, via: Via) -> (Amount, Amount) {
        match via {
            Via::Output(output) => {
                let value = self.trace.view().output(output).value().unwrap();
                (value, self.trace.touch(output).unwrap().amount)
            }
            Via::Fee(payer) => {
                let tainted = self.trace.fees().iter().find(|fee| fee.tx == payer).unwrap().amount;
                (self.trace.view().tx(payer).fee().unwrap(), tainted)
            }
            _ => unreachable!(),
        }
    }

    fn wide(&self, via: Via) -> Amount {
        let (value, tainted) = self.amounts(via);
        if self.width == Width::Value { value } else { tainted }
    }

    fn into(&self, via: Via) -> TxIndex {
        match via {
            Via::Output(output) => self.trace.view().output(output).spender().unwrap().index(),
            Via::Fee(payer) => {
                let height = self.trace.view().tx(payer).height().unwrap();
                self.trace.view().block(height).next().unwrap().index()
            }
            _ => unreachable!(),
        }
    }

    fn share(&self, via: Via) -> Share {
        let view = self.trace.view();
        let tx = view.tx(self.into(via));
        let whole = match tx.height().filter(|_| tx.is_coinbase()) {
            None => tx.inputs().map(|input| input.value().unwrap()).sum(),
            Some(height) => sat(SUBSIDY) + view.block(height).filter_map(|tx| tx.fee()).sum::<Amount>(),
        };
        Share::new(self.amounts(via).0, whole)
    }

    /// Hops, width and mixing of the first steps of a route, and how many of these are worth nothing.
    fn cost(&self, route: &[Via], steps: usize) -> (u32, Amount, u64, u64) {
        let hops = route[..steps].iter().filter(|via| matches!(via, Via::Output(_))).count().saturating_sub(1);
        let width = route[..steps].iter().map(|via| self.wide(*via)).min().unwrap();
        let spent = &route[..steps.min(route.len() - 1)];
        let mixing: Vec<u64> = spent.iter().map(|via| self.share(*via).mixing()).collect();
        let worthless = spent.iter().filter(|via| self.amounts(**via).0 == Amount::ZERO).count() as u64;
        let mixing = mixing.into_iter().filter(|mixing| *mixing != Share::ENDLESS).sum();
        (u32::try_from(hops).unwrap(), width, mixing, worthless)
    }

    fn rank(&self, route: &[Via], steps: usize) -> (u64, u64, u64, Reverse<Amount>) {
        let (hops, width, mixing, worthless) = self.cost(route, steps);
        let hops = u64::from(hops);
        match self.order {
            Order::FewestHops => (0, 0, hops, Reverse(width)),
            Order::Widest => (0, 0, 0, Reverse(width)),
            Order::LeastMixing => (worthless, mixing, hops, Reverse(width)),
            Order::Earliest if steps < route.len() => (0, 0, hops, Reverse(width)),
            Order::Earliest => (self.arrival(route[steps - 1]), 0, hops, Reverse(width)),
            _ => unreachable!(),
        }
    }

    /// Every block's coinbase after the rest of the block.
    fn arrival(&self, end: Via) -> u64 {
        let Via::Output(end) = end else { unreachable!() };
        let view = self.trace.view();
        let tx = view.output(end).tx();
        // The block in which a transaction of unknown height stands is that of the last before it with a height.
        let mut heights = view.unbounded().txs().take_while(|other| other.index() <= tx.index());
        let mut found = 0;
        for height in heights.by_ref().filter_map(|tx| tx.height()) {
            found = height.to_u32();
        }
        u64::from(found) << 33 | u64::from(tx.is_coinbase()) << 32 | u64::from(tx.index().to_u32())
    }

    /// Routes are compared where they part, going back.
    fn compare(&self, a: &[Via], b: &[Via]) -> Ordering {
        let common = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        if common == a.len() || common == b.len() {
            assert_eq!(a, b, "no route runs through another's seed");
            return Ordering::Equal;
        }
        let (a_steps, b_steps) = (a.len() - common, b.len() - common);
        let ranks = self.rank(a, a_steps).cmp(&self.rank(b, b_steps));
        ranks.then_with(|| a[a_steps - 1].cmp(&b[b_steps - 1]))
    }

    fn check_route(&self, route: &Route) {
        let steps: Vec<Via> = route.steps.iter().map(|step| step.via).collect();
        let (hops, width, mixing, worthless) = self.cost(&steps, steps.len());
        assert_eq!((route.hops, route.width), (hops, width));
        assert_eq!(route.mixing, if worthless > 0 { Share::ENDLESS } else { mixing });
        for (at, step) in route.steps.iter().enumerate() {
            assert_eq!((step.value, step.tainted), self.amounts(step.via));
            let spent = at + 1 < steps.len();
            assert_eq!(step.into, spent.then(|| self.into(step.via)));
            assert_eq!(step.share, spent.then(|| self.share(step.via)));
        }
        let seed = self.trace.seeds().iter().rev().find(|seed| Some(seed.output) == route.seed());
        assert_eq!(route.source, seed.unwrap().source);
        assert_eq!(route.end().map(Via::Output), steps.last().copied());
        assert_eq!(route.shares().count(), steps.len() - 1);
    }
}

/// Returns how many routes there were, and whether a fee was on one.
fn check(trace: &Trace<'_>, to: &[OutputIndex], options: RouteOptions) -> Option<(usize, bool)> {
    let plain = Plain { trace, order: options.order, width: options.width };
    let mut expected = all_routes(trace, &to.iter().copied().collect())?;
    expected.retain(|route| route.iter().all(|via| plain.wide(*via) >= options.least));
    expected.sort_by(|a, b| plain.compare(a, b));
    // The order is that of the whole routes too.
    assert!(expected.is_sorted_by_key(|route| plain.rank(route, route.len())), "{:?}", options.order);
    let found = trace.routes(to, &options);
    let vias: Vec<Vec<Via>> =
        found.routes.iter().map(|route| route.steps.iter().map(|step| step.via).collect()).collect();
    assert_eq!(found.more, expected.len() > options.routes_max);
    if let (Order::LeastMixing, Some(best)) = (options.order, found.routes.first()) {
        // By the products themselves; equal ones can come out a little apart.
        let product = |shares: Vec<Share>| {
            shares.iter().map(|share| share.part.to_sat() as f64 / share.whole.to_sat().max(1) as f64).product::<f64>()
        };
        let shares = |route: &Vec<Via>| route[..route.len() - 1].iter().map(|via| plain.share(*via)).collect();
        let greatest = expected.iter().map(|route| product(shares(route))).fold(0.0, f64::max);
        assert!(product(best.shares().collect()) >= greatest * (1.0 - 1e-7));
    }
    let fee = expected.iter().flatten().any(|via| matches!(via, Via::Fee(_)));
    let all = expected.len();
    expected.truncate(options.routes_max);
    assert_eq!(vias, expected, "{options:?}");
    found.routes.iter().for_each(|route| plain.check_route(route));
    Some((all, fee))
}

fn run<'c, T: Taint>(case: &Case, chain: &'c Chain, rule: &T) -> Trace<'c> {
    trace::forward(chain.view(), &case.seeds(chain.view()), rule, &*StopRow::all(&case.stops), &case.options)
}

fn pick(outputs: &[OutputIndex], numbers: &[u64]) -> Vec<OutputIndex> {
    let at = |number: &u64| usize::try_from(number % outputs.len().max(1) as u64).unwrap();
    numbers.iter().filter_map(|number| outputs.get(at(number)).copied()).collect()
}

fn outputs(view: View<'_>) -> Vec<OutputIndex> {
    view.stubs().chain(view.txs()).flat_map(|tx| tx.outputs().map(|output| output.index())).collect()
}

/// A chain in which nearly everything is connected: each transaction spends two or three of the newest outputs.
fn web() -> impl Strategy<Value = Case> {
    prop::collection::vec(any::<u64>(), 20..80).prop_map(|tape| {
        let mut tape = tape.into_iter();
        let mut below = |end: usize| usize::try_from(tape.next().unwrap_or(0) % end as u64).unwrap();
        let mut coins: Vec<In> = Vec::new();
        let mut rows = Vec::new();
        for (n, at) in (0..12_usize).zip(0_u32..) {
            let name = format!("{}{n}", ["a", "m", "z"][below(3)]);
            let row_height = (below(9) > 0).then_some(FIRST + at / 3);
            let mut row = Row { name, height: row_height, position: None, inputs: Vec::new(), outputs: Vec::new() };
            for vout in 0..1 + u32::try_from(below(3)).unwrap() {
                let stub = In { of: format!("S{n}"), vout, value: Some(20), script: None };
                let newest = coins.len() - coins.len().min(7);
                let coin = (coins.len() > newest).then(|| newest + below(coins.len() - newest));
                row.inputs.push(coin.map_or(stub, |coin| coins.remove(coin)));
            }
            let mut left: u64 = row.inputs.iter().filter_map(|input| input.value).sum();
            for vout in 0..1 + u32::try_from(below(4)).unwrap() {
                let value = left.min(below(20) as u64);
                left -= value;
                row.outputs.push(Out::of(value));
                coins.push(In { of: row.name.clone(), vout, value: Some(value), script: None });
            }
            rows.push(row);
        }
        let mini = Mini::of(rows).network(fundtrace::bitcoin::Network::Regtest);
        let seeds = vec!["S0:0=A".into()];
        Case { mini, seeds, options: Options::default(), stops: Vec::new(), tip: FIRST + 3, spare: 0 }
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn the_best_routes_are_the_best_of_all(
        case in prop_oneof![case(false), web()], picks in prop::collection::vec(any::<u64>(), 1..4), max in 0_usize..8, least in 0_u64..12,
    ) {
        let chain = case.chain();
        let to = pick(&outputs(chain.view()), &picks);
        for order in ORDERS {
            for width in [Width::Value, Width::Tainted] {
                let options = RouteOptions::default().order(order).width(width);
                for options in [options.routes(MANY), options.routes(max), options.routes(MANY).least(sat(least))] {
                    check(&run(&case, &chain, &Fifo), &to, options);
                    check(&run(&case, &chain, &Poison), &to, options);
                }
            }
        }
    }

    #[test]
    fn the_shortest_route_has_the_hops_of_the_touch(case in prop_oneof![case(false), web()]) {
        let chain = case.chain();
        let trace = run(&case, &chain, &Poison);
        for touch in trace.touched() {
            let found = trace.routes(&[touch.output], &RouteOptions::default().routes(1));
            prop_assert_eq!(found.routes.len(), 1);
            prop_assert_eq!(found.routes[0].hops, touch.hops);
            for route in [trace.widest_route(&[touch.output]), trace.earliest_route(&[touch.output])] {
                prop_assert!(route.is_some_and(|route| route.hops >= touch.hops));
            }
        }
    }

    #[test]
    fn a_share_costs_its_logarithm(part in 1..u64::MAX, whole in 1..u64::MAX, shift in 0_u32..63) {
        let part = (part >> shift).max(1);
        let share = Share::new(sat(part.min(whole)), sat(part.max(whole)));
        let units = share.mixing() as f64;
        let exact = ((share.whole.to_sat() as f64) / (share.part.to_sat() as f64)).log2() * Share::BIT as f64;
        prop_assert!((units - exact).abs() < 2.0, "{} costs {}, not {}", share, units, exact);
    }
}

#[test]
fn random_routes_are_worth_ranking() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut several, mut many, mut fees, mut too_many) = (0, 0, 0, 0);
    for _ in 0..256 {
        let case = case(false).new_tree(&mut runner).unwrap().current();
        let chain = case.chain();
        let trace = run(&case, &chain, &Poison);
        let to: Vec<OutputIndex> = trace.touched().iter().map(|touch| touch.output).collect();
        for output in to {
            match check(&trace, &[output], RouteOptions::default().routes(MANY)) {
                None => too_many += 1,
                Some((routes, fee)) => {
                    several += usize::from(routes > 1);
                    many += usize::from(routes > 8);
                    fees += usize::from(fee);
                }
            }
        }
    }
    assert!(several > 300 && many > 20 && fees > 40 && too_many < 10, "{several} {many} {fees} {too_many}");
}

/// From the last output to the first: how many hops it is from each to the set.
struct Twin<'c> {
    view: View<'c>,
    tags: Tags,
    heights: (Bound<BlockHeight>, Bound<BlockHeight>),
    to: BTreeSet<OutputIndex>,
    hops: BTreeMap<OutputIndex, usize>,
}

impl Twin<'_> {
    /// The outputs that one output leads to, and whether it may stand between two ends.
    fn next(&self, output: OutputIndex) -> (Vec<OutputIndex>, bool) {
        let output = self.view.output(output);
        let everywhere = self.heights == (Bound::Unbounded, Bound::Unbounded);
        let inside = |height: BlockHeight| std::ops::RangeBounds::contains(&self.heights, &height);
        let spender = output.spender().filter(|tx| everywhere || tx.height().is_some_and(inside));
        let next = spender.into_iter().flat_map(|tx| tx.outputs().map(|output| output.index()).collect::<Vec<_>>());
        (next.collect(), self.tags.of(output).is_empty())
    }

    /// Hops on from an output that is not the first.
    fn hops_from(&self, output: OutputIndex) -> Option<usize> {
        let hops = *self.hops.get(&output)?;
        (hops == 0 || self.next(output).1).then_some(hops)
    }

    fn fill(&mut self) {
        for output in outputs(self.view).into_iter().rev() {
            let best = if self.to.contains(&output) {
                Some(0)
            } else {
                self.next(output).0.into_iter().filter_map(|next| self.hops_from(next)).min().map(|hops| hops + 1)
            };
            self.hops.extend(best.map(|hops| (output, hops)));
        }
    }

    fn shortest(&self, from: &[OutputIndex]) -> Option<Vec<OutputIndex>> {
        let first = from.iter().filter(|output| self.hops.contains_key(output));
        let mut route = vec![*first.min_by_key(|output| (self.hops[output], **output))?];
        while let Some(left) = self.hops[&route[route.len() - 1]].checked_sub(1) {
            let next = self.next(route[route.len() - 1]).0.into_iter();
            route.push(next.filter(|next| self.hops_from(*next) == Some(left)).min().unwrap());
        }
        Some(route)
    }
}

fn links(found: &Connection) -> Option<Vec<OutputIndex>> {
    match found {
        Connection::Found(links) => Some(links.iter().map(|link| link.output).collect()),
        _ => None,
    }
}

/// What a random search looks for.
type Asked = (Vec<u64>, Vec<u64>, Vec<u64>, Option<(u32, u32)>, bool);

fn asked() -> impl Strategy<Value = Asked> {
    let some = |range| prop::collection::vec(any::<u64>(), range);
    (some(1..4), some(1..4), some(0..6), prop::option::of((0..4_u32, 0..4_u32)), any::<bool>())
}

/// The twin's answer, after the library's was found to be the same with and without limits.
fn check_connect(case: &Case, (from, to, tagged, heights, early): &Asked) -> Option<Vec<OutputIndex>> {
    let chain = case.chain();
    let view = if *early { chain.as_of(height(case.tip - 1)) } else { chain.view() };
    let all = outputs(view);
    // From the front half to any.
    let (from, to) = (pick(&all[..all.len().div_ceil(2)], from), pick(&all, to));
    let mut tags = Tags::default();
    for output in pick(&all, tagged) {
        if let Some(script) = view.output(output).script() {
            tags.insert(script.to_owned(), Tag::new("a service", "", "this test"));
        }
    }
    let heights = heights.map_or((Bound::Unbounded, Bound::Unbounded), |(a, b)| {
        (Bound::Included(height(FIRST + a.min(b))), Bound::Included(height(FIRST + a.max(b))))
    });
    let mut twin = Twin { view, tags: tags.clone(), heights, to: to.iter().copied().collect(), hops: BTreeMap::new() };
    twin.fill();
    let expected = twin.shortest(&from);
    let found = connect(view, &from, &to, heights, &tags, &ConnectLimits::default());
    assert_eq!(links(&found), expected);
    match &found {
        Connection::Found(links) => {
            for pair in links.windows(2) {
                assert_eq!(pair[0].into, view.output(pair[0].output).spender().map(|tx| tx.index()));
                assert_eq!(pair[0].into, Some(view.output(pair[1].output).tx().index()));
            }
            assert!(links.iter().all(|link| link.value == view.output(link.output).value()));
            assert_eq!(links.last().unwrap().into, None);
        }
        other => assert_eq!(*other, Connection::None),
    }
    let hops = expected.as_ref().map(|route| u32::try_from(route.len() - 1).unwrap());
    for max in 0..6 {
        match connect(view, &from, &to, heights, &tags, &ConnectLimits::default().hops(max)) {
            Connection::GaveUp { limit, none_up_to, .. } => {
                assert_eq!((limit, none_up_to), (ConnectLimit::Hops, Some(max)));
                assert!(hops.is_none_or(|hops| hops > max));
            }
            other => assert_eq!(other, found),
        }
    }
    for max in 0..20 {
        match connect(view, &from, &to, heights, &tags, &ConnectLimits::default().opened(max)) {
            Connection::GaveUp { limit, none_up_to, opened } => {
                assert!(limit == ConnectLimit::Opened && opened <= max);
                assert!(hops.is_none_or(|hops| none_up_to.is_none_or(|none| hops > none)));
            }
            other => assert_eq!(other, found),
        }
    }
    expected
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn connections_are_those_of_a_plain_pass(case in prop_oneof![case(false), web()], asked in asked()) {
        check_connect(&case, &asked);
    }
}

#[test]
fn random_connections_are_worth_finding() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut none, mut long, mut longer_for_tags) = (0, 0, 0);
    for _ in 0..1024 {
        let case = web().new_tree(&mut runner).unwrap().current();
        let mut asked = asked().new_tree(&mut runner).unwrap().current();
        let found = check_connect(&case, &asked);
        let tagged = std::mem::take(&mut asked.2);
        let free = check_connect(&case, &asked);
        none += usize::from(found.is_none());
        long += usize::from(found.as_ref().is_some_and(|route| route.len() > 3));
        longer_for_tags += usize::from(!tagged.is_empty() && found != free);
    }
    assert!(none > 200 && long > 50 && longer_for_tags > 20, "{none} {long} {longer_for_tags}");
}

/// Three ways from the theft to the meeting: a short one that pays 1 of 100, a wide one of three hops that is mixed half and half, and a
/// narrow one of three hops that is hardly mixed.
const WAYS: &str = "
    split @1: loot:0=100 -> 60 39 1
    wide @2: split:0 clean:0=60 -> 120
    more @3: wide:0 -> 120
    thin @2: split:1 dust:0=1 -> 40
    thinner @3: thin:0 -> 40
    meet @4: more:0 thinner:0 split:2 -> 161";

fn name(view: View<'_>, output: OutputIndex) -> String {
    name_of_outpoint(view.output(output).outpoint())
}

fn at(view: View<'_>, text: &str) -> OutputIndex {
    view.output_at(outpoint(text)).unwrap().index()
}

/// A route as names, a fee as `fee of name`.
fn names(view: View<'_>, route: &Route) -> String {
    let words = route.steps.iter().map(|step| match step.via {
        Via::Output(output) => name(view, output),
        Via::Fee(payer) => format!("(fee of {})", name_of(view.tx(payer).txid())),
        _ => unreachable!(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_order_prefers_its_own_way() {
    let chain = Mini::new(WAYS).chain();
    let view = chain.view();
    let trace = follow(view, &["loot:0"], &Poison);
    let end = [at(view, "meet:0")];
    let best = |order| trace.routes(&end, &RouteOptions::default().order(order).routes(1)).routes.remove(0);

    let short = best(Order::FewestHops);
    assert_eq!(names(view, &short), "loot:0 split:2 meet:0");
    assert_eq!((short.hops, short.width), (2, sat(1)));

    let wide = trace.widest_route(&end).unwrap();
    assert_eq!(names(view, &wide), "loot:0 split:0 wide:0 more:0 meet:0");
    assert_eq!((wide.hops, wide.width), (4, sat(60)));
    assert_eq!(
        wide.shares().map(|share| share.to_string()).collect::<Vec<_>>(),
        ["100/100", "60/120", "120/120", "120/161"]
    );
    // 1 bit, and log2(161 / 120) of 0.4240... bits.
    assert_eq!(wide.mixing, Share::BIT + Share::new(sat(120), sat(161)).mixing());
    assert_eq!(wide, best(Order::Widest));

    // 120/161 / 2 is more than 39/40 * 40/161.
    assert_eq!(trace.least_mixing_route(&end).unwrap(), wide);
    let unmixed = trace.least_mixing_route(&[at(view, "more:0"), at(view, "thinner:0")]).unwrap();
    assert_eq!(names(view, &unmixed), "loot:0 split:1 thin:0 thinner:0");

    let found = trace.routes(&end, &RouteOptions::default().routes(3));
    let widths: Vec<(u32, u64)> = found.routes.iter().map(|route| (route.hops, route.width.to_sat())).collect();
    assert_eq!((widths, found.more), (vec![(2, 1), (4, 60), (4, 39)], false));
    let found = trace.routes(&end, &RouteOptions::default().routes(2));
    assert_eq!((found.routes.len(), found.more), (2, true));
    let found = trace.routes(&end, &RouteOptions::default().least(sat(40)));
    assert_eq!(found.routes.iter().map(|route| names(view, route)).collect::<Vec<_>>(), [names(view, &wide)]);
    assert_eq!(trace.routes(&end, &RouteOptions::default().least(sat(61))).routes, []);
    assert!(trace.routes(&end, &RouteOptions::default().routes(0)).more);
}

#[test]
fn the_earliest_arrival_is_that_of_the_first_block() {
    let chain = Mini::new(WAYS).chain();
    let view = chain.view();
    let trace = follow(view, &["loot:0"], &Poison);
    let first = |names: &[&str]| {
        let to: Vec<OutputIndex> = names.iter().map(|name| at(view, name)).collect();
        trace.earliest_route(&to).map(|route| name(view, route.end().unwrap()))
    };
    assert_eq!(first(&["meet:0", "thin:0", "more:0"]), Some("thin:0".into()));
    assert_eq!(first(&["meet:0", "more:0", "more:0"]), Some("more:0".into()));
    assert_eq!(first(&["meet:0", "loot:0"]), Some("loot:0".into()));
    assert_eq!(first(&["clean:0"]), None);
    assert_eq!(first(&[]), None);
    let itself = trace.earliest_route(&[at(view, "loot:0")]).unwrap();
    assert_eq!((itself.hops, itself.width, itself.mixing, itself.steps.len()), (0, sat(100), 0, 1));
}

#[test]
fn a_route_goes_through_a_fee_and_starts_anew_at_a_seed() {
    let text = "
        cb @4050: coinbase -> 40
        p @4050.1: s:0=9 -> 6
        q @4051.1: cb:0 p:0 -> 46
        r @4052.1: q:0 -> 46";
    let chain = Mini::new(text).network(fundtrace::bitcoin::Network::Regtest).chain();
    let view = chain.view();
    let options = Options::default().fees(Fees::Coinbase);
    let trace = |seeds: &[&str]| {
        let seeds: Vec<_> = seeds.iter().map(|text| seed(view, text)).collect();
        trace::forward(view, &seeds, &Fifo, &stop::never(), &options)
    };
    let theft = trace(&["s:0"]);
    let found = theft.routes(&[at(view, "r:0")], &RouteOptions::default().order(Order::LeastMixing));
    let found: Vec<String> = found.routes.iter().map(|route| names(view, route)).collect();
    assert_eq!(found, ["s:0 p:0 q:0 r:0", "s:0 (fee of p) cb:0 q:0 r:0"]);
    let by_fee = theft.widest_route(&[at(view, "cb:0")]).unwrap();
    assert_eq!((by_fee.hops, by_fee.width), (1, sat(3)));
    let shares: Vec<String> = by_fee.shares().map(|share| share.to_string()).collect();
    assert_eq!(shares, ["9/9", "3/40"]);
    // The miner's output was named too: what came before gives way there.
    let both = trace(&["s:0=one", "cb:0=two"]);
    let found = both.routes(&[at(view, "r:0")], &RouteOptions::default());
    let found: Vec<(String, &str)> =
        found.routes.iter().map(|route| (names(view, route), both.label(route.source))).collect();
    assert_eq!(found, [("cb:0 q:0 r:0".into(), "two"), ("s:0 p:0 q:0 r:0".into(), "one")]);
}

#[test]
fn shares_of_powers_of_two_are_exact_and_the_ends_of_the_range_hold() {
    let mixing = |part, whole| Share::new(sat(part), sat(whole)).mixing();
    for bits in 0..62 {
        assert_eq!(mixing(1, 1 << bits), bits << 32);
        assert_eq!(mixing(3, 3 << bits), bits << 32);
    }
    assert_eq!((mixing(7, 7), mixing(u64::MAX, u64::MAX), mixing(8, 7)), (0, 0, 0));
    assert_eq!((mixing(0, 5), mixing(0, 0)), (Share::ENDLESS, Share::ENDLESS));
    // Just below 64 bits, and just above none.
    assert_eq!(mixing(1, u64::MAX), (64 << 32) - 1);
    assert_eq!(mixing(u64::MAX - 1, u64::MAX), 0);
    // log2(3) to 32 binary places.
    assert_eq!(mixing(1, 3), 0b1_1001_0101_1100_0000_0001_1010_0011_1001);
}

/// 2^40 routes, and one that is 60,000 hops long: neither may be walked whole.
#[test]
fn many_routes_and_long_ones_are_no_matter() {
    let ladder = "each 1..40: b{i}: b{i-1}:0 b{i-1}:1 -> 5 5";
    let chain = Mini::new(&format!("b0: s:0=10 -> 5 5\n{ladder}\nend: b40:0 -> 5")).chain();
    let trace = follow(chain.view(), &["s:0"], &Poison);
    let end = [at(chain.view(), "end:0")];
    for order in ORDERS {
        let found = trace.routes(&end, &RouteOptions::default().order(order).routes(1000));
        assert!(found.more && found.routes.len() == 1000);
        let different: BTreeSet<String> = found.routes.iter().map(|route| names(chain.view(), route)).collect();
        assert_eq!(different.len(), 1000);
        assert!(found.routes.iter().all(|route| route.hops == 42 && route.width == sat(5) && route.mixing == 40 << 32));
    }
    let limits = ConnectLimits::default();
    let found = connect(chain.view(), &[at(chain.view(), "s:0")], &end, .., &Tags::default(), &limits);
    assert_eq!(found.hops(), Some(42));
    let links = links(&found).unwrap();
    assert!(links[1..41].iter().all(|output| name(chain.view(), *output).ends_with(":0")), "of equals the first");

    let chain = Mini::new("p0: s:0=70000 -> 70000\neach 1..60000: p{i}: p{i-1}:0 -> {70000-i}").chain();
    let trace = follow(chain.view(), &["s:0"], &Poison);
    let end = at(chain.view(), "p60000:0");
    let found = trace.routes(&[end], &RouteOptions::default().routes(2));
    assert_eq!((found.routes[0].hops, found.routes.len(), found.more), (60_001, 1, false));
    let found = connect(chain.view(), &[at(chain.view(), "s:0")], &[end], .., &Tags::default(), &limits);
    assert_eq!(found.hops(), Some(60_001));
}

fn tags(keys: &[&str]) -> Tags {
    let mut tags = Tags::default();
    for key in keys {
        tags.insert(script(key), Tag::new(*key, "", "this test"));
    }
    tags
}

#[test]
fn a_service_is_no_way_through_but_may_be_an_end() {
    // By the exchange it is two hops, around it three.
    let text = "
        in @1: loot:0=9/thief -> 5/exchange 4
        out @2: in:0 -> 5/bob
        a @2: in:1 -> 4
        b @3: a:0 -> 4/bob";
    let chain = Mini::new(text).chain();
    let view = chain.view();
    let go = |from: &str, to: &[&str], tags: &Tags, heights: std::ops::RangeInclusive<u32>| {
        let to: Vec<OutputIndex> = to.iter().map(|text| at(view, text)).collect();
        let heights = height(*heights.start())..=height(*heights.end());
        let found = connect(view, &[at(view, from)], &to, heights, tags, &ConnectLimits::default());
        match found {
            Connection::Found(links) => links.iter().map(|link| name(view, link.output)).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        }
    };
    let bob = ["out:0", "b:0"];
    assert_eq!(go("loot:0", &bob, &tags(&[]), 0..=9), "loot:0 in:0 out:0");
    assert_eq!(go("loot:0", &bob, &tags(&["exchange"]), 0..=9), "loot:0 in:1 a:0 b:0");
    assert_eq!(go("loot:0", &bob, &tags(&["exchange"]), 0..=2), "None");
    assert_eq!(go("loot:0", &bob, &tags(&["exchange"]), 2..=9), "None");
    assert_eq!(go("loot:0", &["in:0"], &tags(&["exchange", "thief"]), 1..=1), "loot:0 in:0");
    assert_eq!(go("in:0", &bob, &tags(&["exchange", "bob"]), 2..=2), "in:0 out:0");
    assert_eq!(go("loot:0", &["loot:0", "in:0"], &tags(&["thief"]), 7..=7), "loot:0");
    // Never backwards in time.
    assert_eq!(go("out:0", &["in:0", "loot:0"], &tags(&[]), 0..=9), "None");
    let early = chain.as_of(height(1));
    let both = [at(view, "out:0")];
    assert_eq!(connect(early, &both, &both, .., &tags(&[]), &ConnectLimits::default()), Connection::None);
}

#[test]
fn an_unknown_height_is_in_no_range_but_the_whole() {
    let chain = Mini::new("a @1: s:0=9 -> 9\nb: a:0 -> 9\nc @3: b:0 -> 9").chain();
    let view = chain.view();
    let (from, to) = ([at(view, "s:0")], [at(view, "c:0")]);
    let limits = ConnectLimits::default();
    assert_eq!(connect(view, &from, &to, .., &tags(&[]), &limits).hops(), Some(3));
    assert_eq!(connect(view, &from, &to, height(0).., &tags(&[]), &limits), Connection::None);
}

#[test]
fn limits_are_reported_and_the_smaller_side_is_opened() {
    // The thief's side fans out to 300 outputs at once; the other side is a chain of three.
    let fan = vec!["1"; 300].join(" ");
    let text = format!("fan: s:0=400 -> {fan}\na: fan:7 -> 1\nb: a:0 -> 1\nc: b:0 x:0=5 -> 6");
    let chain = Mini::new(&text).chain();
    let view = chain.view();
    let (from, to) = ([at(view, "s:0")], [at(view, "c:0")]);
    let go = |limits| connect(view, &from, &to, .., &tags(&[]), &limits);
    let found = go(ConnectLimits::default());
    assert_eq!(found.hops(), Some(4));
    // Two to begin with, then c's two inputs, b's one and a's one: the fan stays shut.
    assert_eq!(go(ConnectLimits::default().opened(6)), found);
    let shown = |limits| format!("{:?}", go(limits));
    assert_eq!(shown(ConnectLimits::default().opened(5)), "GaveUp { limit: Opened, none_up_to: Some(2), opened: 5 }");
    assert_eq!(shown(ConnectLimits::default().opened(3)), "GaveUp { limit: Opened, none_up_to: Some(0), opened: 2 }");
    assert_eq!(shown(ConnectLimits::default().opened(1)), "GaveUp { limit: Opened, none_up_to: None, opened: 0 }");
    assert_eq!(shown(ConnectLimits::default().hops(3)), "GaveUp { limit: Hops, none_up_to: Some(3), opened: 6 }");
    assert_eq!(go(ConnectLimits::default().hops(4)), found);
    // Nothing leads to x: that is known, not given up.
    let to = [at(view, "x:0")];
    assert_eq!(connect(view, &from, &to, .., &tags(&[]), &ConnectLimits::default().hops(0)), Connection::None);
}
