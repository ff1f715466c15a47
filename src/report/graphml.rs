//! The traced graph for Gephi, yEd, Cytoscape and the like. Feature `graphml`.
//!
//! Nodes have `kind` (`tx` or `end`), `name` (txid or txid:vout), `height`, `address` and `reason`; edges have `via` and one
//! number a rule, `fifo_sat` and so on; where owners are shown, ends and edges have the inferred `owner` (of the edge's output) too. The manifest is the graph's description.

use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Report;
use super::drawing::{Dot, Drawing};
use crate::error::Error;
use crate::id::OutputIndex;
use crate::trace::Via;

/// Writes the traced graph of all rules as one directed graph.
///
/// # Errors
///
/// When writing fails ([`Error::is_io`]).
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let report = Report::new(&traces)?;
/// let mut bytes = Vec::new();
/// report::graphml::write(&report, &mut bytes)?;
/// assert!(String::from_utf8(bytes).unwrap().contains("attr.name=\"fifo_sat\""));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(report: &Report<'_, '_>, to: impl Write) -> Result<(), Error> {
    let drawing = Drawing::of(report.traces);
    let manifest = serde_json::to_string(&report.manifest()).map_err(std::io::Error::from)?;
    let mut xml = Writer::new_with_indent(to, b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = xml.create_element("graphml").with_attribute(("xmlns", "http://graphml.graphdrawing.org/xmlns"));
    root.write_inner_content(|xml| {
        for name in ["kind", "name", "address", "reason"] {
            key(xml, "node", name, "string")?;
        }
        key(xml, "node", "height", "long")?;
        if report.owners.is_some() {
            key(xml, "all", "owner", "string")?;
        }
        if report.traces[0].through().is_some() {
            key(xml, "node", "mix", "string")?;
            key(xml, "all", "mix_way", "string")?;
        }
        key(xml, "edge", "via", "string")?;
        for policy in &drawing.policies {
            key(xml, "edge", &format!("{policy}_sat"), "long")?;
        }
        let graph = xml.create_element("graph").with_attributes([("id", "fundtrace"), ("edgedefault", "directed")]);
        graph.write_inner_content(|xml| {
            xml.create_element("desc").write_text_content(BytesText::new(&manifest))?;
            nodes(xml, report, &drawing)?;
            edges(xml, report, &drawing)
        })?;
        Ok(())
    })?;
    xml.get_mut().write_all(b"\n")?;
    Ok(())
}

type Written = std::io::Result<()>;

fn nodes<W: Write>(xml: &mut Writer<W>, report: &Report<'_, '_>, drawing: &Drawing<'_>) -> Written {
    for tx in &drawing.txs {
        let id = drawing.id(Dot::Tx(*tx));
        let tx = drawing.view.tx(*tx);
        xml.create_element("node").with_attribute(("id", id.as_str())).write_inner_content(|xml| {
            data(xml, "kind", "tx")?;
            data(xml, "name", &tx.txid().to_string())?;
            drawing.mixes.get(&tx.index()).map_or(Ok(()), |mix| data(xml, "mix", mix))?;
            tx.height().map_or(Ok(()), |height| data(xml, "height", &height.to_string()))
        })?;
    }
    for output in drawing.ends.keys() {
        let id = drawing.id(Dot::End(*output));
        let at = drawing.view.output(*output);
        xml.create_element("node").with_attribute(("id", id.as_str())).write_inner_content(|xml| {
            data(xml, "kind", "end")?;
            data(xml, "name", &at.outpoint().to_string())?;
            data(xml, "reason", &drawing.reasons(*output))?;
            owner(xml, report, *output)?;
            way(xml, drawing, *output)?;
            at.address().map_or(Ok(()), |address| data(xml, "address", &address.to_string()))
        })?;
    }
    Ok(())
}

fn edges<W: Write>(xml: &mut Writer<W>, report: &Report<'_, '_>, drawing: &Drawing<'_>) -> Written {
    for (line, amounts) in &drawing.lines {
        let (from, to) = (drawing.id(line.from), drawing.id(line.to));
        let edge = xml.create_element("edge").with_attributes([("source", from.as_str()), ("target", to.as_str())]);
        edge.write_inner_content(|xml| {
            data(xml, "via", &drawing.via(line.via))?;
            if let Via::Output(output) = line.via {
                owner(xml, report, output)?;
                way(xml, drawing, output)?;
            }
            for (policy, amount) in drawing.policies.iter().zip(amounts) {
                data(xml, &format!("{policy}_sat"), &amount.to_sat().to_string())?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn owner<W: Write>(xml: &mut Writer<W>, report: &Report<'_, '_>, output: OutputIndex) -> Written {
    report.owner(output).map_or(Ok(()), |(_, name)| data(xml, "owner", &name))
}

fn way<W: Write>(xml: &mut Writer<W>, drawing: &Drawing<'_>, output: OutputIndex) -> Written {
    drawing.way(output).map_or(Ok(()), |way| data(xml, "mix_way", way))
}

fn key<W: Write>(xml: &mut Writer<W>, of: &str, name: &str, kind: &str) -> Written {
    let attributes = [("id", name), ("for", of), ("attr.name", name), ("attr.type", kind)];
    xml.create_element("key").with_attributes(attributes).write_empty().map(|_| ())
}

fn data<W: Write>(xml: &mut Writer<W>, key: &str, text: &str) -> Written {
    xml.create_element("data").with_attribute(("key", key)).write_text_content(BytesText::new(text)).map(|_| ())
}
