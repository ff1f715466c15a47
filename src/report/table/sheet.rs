//! The balance sheets, and what stands beside them.

use std::io::Write;

use comfy_table::Cell;

use super::{grouped, number, table};
use crate::error::Error;
use crate::trace::{Fees, Trace};

pub(super) fn balances(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let header = ["Balance (sat)", "seeded", "= ends", "+ fees", "+ burned", "+ displaced", "+ truncated", ""];
    let mut table = table(&header);
    for trace in traces {
        let balance = trace.balance();
        let verdict = match (trace.policy().conserving, balance.adds_up()) {
            (true, true) => "adds up",
            (true, false) => "DOES NOT ADD UP",
            (false, _) => "upper bound: need not add up",
        };
        let amounts =
            [balance.seeded, balance.ends, balance.fees, balance.burned, balance.displaced, balance.truncated];
        let mut row = vec![Cell::new(trace.policy().name)];
        row.extend(amounts.map(number));
        row.push(Cell::new(verdict));
        table.add_row(row);
    }
    writeln!(to, "\n{table}")?;
    Ok(())
}

/// Transfers between addresses of one owner.
pub(super) fn inside_note(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    for trace in traces {
        let sat = trace.inside().map_or(0, |inside| inside.taint_sat);
        if let Some(sentence) = crate::report::inside_sentence(trace, &grouped(sat)) {
            writeln!(to, "{}: {sentence}", trace.policy().name)?;
        }
    }
    Ok(())
}

/// Fees that were asked to be followed and could not be.
pub(super) fn fees_note(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    if traces[0].options().fees != Fees::Coinbase {
        return Ok(());
    }
    for trace in traces {
        let stuck = trace.fees().iter().filter(|fee| fee.coinbase.is_none()).count();
        if stuck > 0 {
            let (name, all) = (trace.policy().name, trace.fees().len());
            writeln!(
                to,
                "{name}: {stuck} of {all} tainted fees were not followed, because their blocks are not here whole"
            )?;
        }
    }
    Ok(())
}
