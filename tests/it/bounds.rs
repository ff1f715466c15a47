//! Bounds: every conserving rule's answer lies within them.

use fundtrace::bitcoin::{Amount, Network};
use fundtrace::spec::Rule;
use fundtrace::taint::{Fifo, Poison};
use fundtrace::trace::{self, Bound, BoundLimits, Fees, Gap, Most, Options, Place, Trace, stop};
use proptest::prelude::*;

use crate::mini::{self, Mini};
use crate::random::case;

fn held(trace: &Trace<'_>, place: &Place) -> Amount {
    trace.ends().iter().filter(|end| place.outputs.contains(&end.output)).map(|end| end.amount).sum()
}

fn check(bound: &Bound, found: Amount, rule: Rule) -> Result<(), TestCaseError> {
    prop_assert!(bound.least.unwrap() <= found, "{rule}: {found} is less: {bound}");
    if let Most::Sat(most) = bound.most {
        prop_assert!(bound.least.unwrap() <= most);
        prop_assert!(found <= most, "{rule}: {found} is more: {bound}");
    }
    prop_assert_ne!(bound.most, Most::GaveUp);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_lies_within(case in case(false), bits in any::<u64>()) {
        let chain = case.chain();
        let (view, seeds) = (chain.view(), case.seeds(chain.view()));
        // Without stops: those that look at amounts look at poison's, and then rules end at different outputs.
        let poison = trace::forward(view, &seeds, &Poison, &stop::never(), &case.options);
        let ends: Vec<_> = poison.ends().iter().map(|end| end.output).collect();
        let some = ends.iter().enumerate().filter(|(at, _)| bits >> (at % 64) & 1 == 1).map(|(_, end)| *end);
        let mut places = vec![Place::new("some", some), Place::new("all", ends.iter().copied())];
        places.extend(ends.iter().map(|end| Place::new(end.to_string(), [*end])));
        let bounds = trace::bounds(&poison, &places, BoundLimits::default()).unwrap();
        let passed: Vec<Place> = poison.touched().iter().map(|touch| Place::new("", [touch.output])).collect();
        let through = trace::bounds(&poison, &passed, BoundLimits::default()).unwrap();
        for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Poison) {
            let found = rule.forward(view, &seeds, &stop::never(), &case.options);
            for (bound, touch) in through.iter().zip(poison.touched()) {
                let amount = found.touch(touch.output).map_or(Amount::ZERO, |touch| touch.amount);
                check(bound, amount, rule)?;
            }
            for (bound, place) in bounds.iter().zip(&places) {
                check(bound, held(&found, place), rule)?;
            }
        }
        // Nothing is at no place.
        let none = trace::bounds(&poison, &[Place::new("none", [])], BoundLimits::default()).unwrap();
        prop_assert_eq!(none[0].least, Some(Amount::ZERO));
    }
}

fn of(chain: &str, seeds: &[&str], places: &[&[&str]]) -> Vec<String> {
    let chain = Mini::new(chain).chain();
    let trace = mini::follow(chain.view(), seeds, &Poison);
    let output = |name: &&str| chain.view().output_at(mini::outpoint(name)).unwrap().index();
    let places: Vec<Place> = places.iter().map(|names| Place::new(names.join("+"), names.iter().map(output))).collect();
    let amount = |bound: &Bound| match bound.most {
        Most::Sat(most) => format!("{} {}..{}", bound.name, bound.least.unwrap().to_sat(), most.to_sat()),
        _ => format!("{} {}..", bound.name, bound.least.unwrap().to_sat()),
    };
    trace::bounds(&trace, &places, BoundLimits::default()).unwrap().iter().map(amount).collect()
}

#[test]
fn bounds_by_hand() {
    // Five stolen and three others pay 4 and 3 and a fee of 1: four stolen satoshis fit beside the 4, so at least one is in it.
    let pay = "pay @7: loot:0=5 other:0=3 -> 4!unspent 3!unspent";
    assert_eq!(
        of(pay, &["loot:0"], &[&["pay:0"], &["pay:1"], &["pay:0", "pay:1"]]),
        ["pay:0 1..4", "pay:1 0..3", "pay:0+pay:1 4..5"]
    );
    // Through a second transaction: the 4 goes on beside 6 others into 9 and 1.
    let chain = "pay @7: loot:0=5 other:0=3 -> 4 3!unspent\nmix @8: pay:0 more:0=6 -> 9!unspent 1!unspent";
    assert_eq!(of(chain, &["loot:0"], &[&["mix:0"], &["mix:1"]]), ["mix:0 0..4", "mix:1 0..1"]);
    // What comes to an output on the way: the 4 holds one stolen satoshi at least.
    assert_eq!(of(chain, &["loot:0"], &[&["pay:0"]]), ["pay:0 1..4"]);
    // A seed on the way displaces what arrives and brings its own value.
    let again = of(chain, &["loot:0", "pay:0"], &[&["mix:0"]]);
    assert_eq!(again, ["mix:0 3..4"]);
}

#[test]
fn what_is_refused_and_what_is_void() {
    // Nobody knows what spends the 4; it may have gone into the second transaction by another way.
    let chain = Mini::new("pay @7: loot:0=5 other:0=3 -> 4 3\nlast @9: pay:1 far:0=8 -> 11!unspent").chain();
    let poison = mini::follow(chain.view(), &["loot:0"], &Poison);
    let place = || [Place::new("last", [chain.view().output_at(mini::outpoint("last:0")).unwrap().index()])];
    let bound = &trace::bounds(&poison, &place(), BoundLimits::default()).unwrap()[0];
    assert_eq!((bound.least, bound.most), (Some(mini::sat(0)), Most::Void));
    // But it cannot have come to where it was paid from.
    let first = [Place::new("pay:0", [chain.view().output_at(mini::outpoint("pay:0")).unwrap().index()])];
    let bound = &trace::bounds(&poison, &first, BoundLimits::default()).unwrap()[0];
    assert_eq!((bound.least, bound.most), (Some(mini::sat(1)), Most::Sat(mini::sat(4))));
    assert!(
        bound.to_string().starts_with("under every rule that conserves value transaction by transaction, on these")
    );
    let fifo = mini::follow(chain.view(), &["loot:0"], &Fifo);
    assert!(trace::bounds(&fifo, &place(), BoundLimits::default()).unwrap_err().is_spec());
    let mut limits = BoundLimits::default();
    limits.edges_max = 2;
    assert_eq!(trace::bounds(&poison, &place(), limits).unwrap()[0].least, None);
    limits = BoundLimits::default();
    limits.work_max = 3;
    assert_eq!(trace::bounds(&poison, &place(), limits).unwrap()[0].least, None);
}

/// A mix after two hops: with any limit before it, nobody knows what more comes to it.
#[test]
fn what_a_limit_cut_may_come_to_the_place() {
    let chain =
        Mini::new("split @5: loot:0=1000 other:0=9000 -> 5000 5000\njoin @6: split:0 split:1 -> 10000!unspent").chain();
    let (view, seeds) = (chain.view(), [mini::seed(chain.view(), "loot:0")]);
    let place = |name: &str| [Place::new(name, [view.output_at(mini::outpoint(name)).unwrap().index()])];
    let under = |stop: &dyn stop::Stop, name: &str| {
        let poison = trace::forward(view, &seeds, &Poison, stop, &Options::default());
        trace::bounds(&poison, &place(name), BoundLimits::default()).unwrap().remove(0)
    };
    let whole = under(&stop::never(), "join:0");
    assert_eq!((whole.least, whole.most, whole.void), (Some(mini::sat(1000)), Most::Sat(mini::sat(1000)), vec![]));
    let limits: [&dyn stop::Stop; 3] = [&stop::hops(1), &stop::below(mini::sat(6000)), &stop::budget(1)];
    for limit in limits {
        let cut = under(limit, "join:0");
        assert_eq!((cut.least, cut.most), (Some(mini::sat(0)), Most::Void), "{}", limit.describe());
        assert_eq!(cut.void, [Gap::Limit]);
        assert!(cut.to_string().contains("because a limit cut the trace at some earlier ends"), "{cut}");
    }
    // What stands beside the place was cut too, and cannot come to it.
    assert_eq!(under(&stop::hops(1), "split:0").most, Most::Sat(mini::sat(1000)));
}

/// A fee of 600 that is only booked may be in the coinbase all the same, and a hundred blocks later anywhere.
#[test]
fn a_booked_fee_may_come_back() {
    let rows = "cb @5: coinbase -> 5000000600!unspent\npay @5: loot:0=1000 -> 400!unspent\n\
                soon @104: some:0=500 -> 500!unspent\nlate @105: more:0=500 -> 500!unspent";
    let chain = Mini::new(rows).network(Network::Regtest).chain();
    let (view, seeds) = (chain.view(), [mini::seed(chain.view(), "loot:0")]);
    let of = |fees: Fees, name: &str| {
        let poison = trace::forward(view, &seeds, &Poison, &stop::never(), &Options::default().fees(fees));
        let place = Place::new(name, [view.output_at(mini::outpoint(name)).unwrap().index()]);
        let bound = trace::bounds(&poison, &[place], BoundLimits::default()).unwrap().remove(0);
        let said = match fees {
            Fees::Coinbase => "with fees followed into coinbases",
            _ => "with fees booked where they are paid",
        };
        assert!(bound.fees == fees && bound.to_string().contains(said), "{bound}");
        (bound.least.unwrap().to_sat(), bound.most)
    };
    let most = |sat| Most::Sat(mini::sat(sat));
    assert_eq!(of(Fees::Coinbase, "cb:0"), (600, most(600)));
    assert_eq!(of(Fees::Drop, "cb:0"), (0, most(600)));
    assert_eq!(of(Fees::Drop, "pay:0"), (400, most(400)));
    assert_eq!(of(Fees::Drop, "soon:0"), (0, most(0)));
    // No more than fits.
    assert_eq!(of(Fees::Drop, "late:0"), (0, most(500)));
}

/// The two flows of a place share one budget.
#[test]
fn the_work_is_that_of_the_whole_bound() {
    let chain = Mini::new("pay @7: loot:0=5 other:0=3 -> 4!unspent 3!unspent").chain();
    let poison = mini::follow(chain.view(), &["loot:0"], &Poison);
    let place = [Place::new("pay:1", [chain.view().output_at(mini::outpoint("pay:1")).unwrap().index()])];
    let with = |work: u64| {
        let mut limits = BoundLimits::default();
        limits.work_max = work;
        trace::bounds(&poison, &place, limits).unwrap().remove(0)
    };
    let first = (0..1000).find(|work| with(*work).least.is_some()).unwrap();
    assert_eq!(with(first).most, Most::GaveUp);
    assert_eq!(with(2 * first).most, Most::Sat(mini::sat(3)));
}

/// Every theft of a simulated world, stopped at the services that an analyst would have tagged.
#[cfg(feature = "simulate")]
#[test]
fn simulated_thefts_lie_within() {
    use fundtrace::eval::Attribution;
    use fundtrace::simulate::WorldSpec;

    let (chain, truth) = crate::worlds::known(WorldSpec::new(20_000), 3);
    let view = chain.view();
    let tags = Attribution::new(view, &truth, 500, 3);
    let mut services = 0;
    for theft in (0..truth.thefts().len()).map(|at| fundtrace::id::TheftIndex::from_u32(u32::try_from(at).unwrap())) {
        let seeds: Vec<_> =
            truth.seeds(view, theft).into_iter().map(|(output, _)| view.output(output).seed("loot")).collect();
        let poison = trace::forward(view, &seeds, &Poison, &tags.stop(), &Options::default());
        let places = poison.services();
        assert!(poison.carries().len() < 100_000);
        let bounds = trace::bounds(&poison, &places, BoundLimits::default()).unwrap();
        services += bounds.iter().filter(|bound| bound.least.unwrap() > Amount::ZERO).count();
        for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Poison) {
            let found = rule.forward(view, &seeds, &tags.stop(), &Options::default());
            for (bound, place) in bounds.iter().zip(&places) {
                check(bound, held(&found, place), rule).unwrap();
            }
        }
    }
    println!("{services} services must have got something");
    assert!(services > 0);
}
