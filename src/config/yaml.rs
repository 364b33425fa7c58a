//! YAML text → a tree that knows where each of its nodes stands.
//!
//! We build the tree from the parser's events instead of loading into a ready-made one, because a loader stops at the
//! first key that stands twice, and we want to name them all. The subset is small on purpose: no tags, no merge keys,
//! one document, text keys. Aliases are copies, within a budget of nodes.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::fault::{Place, Remark, shown};

/// Deeper nesting than any configuration needs; keeps every later pass over the tree shallow.
const MAX_DEPTH: usize = 32;
/// More nodes than any configuration needs; aliases multiply, and memory does not.
const MAX_NODES: usize = 200_000;

/// A node and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is, in the core schema of YAML 1.2 (`no` and `on` are texts).
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// A plain number that is not an `i64`.
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

/// A container that is still open.
enum Open {
    List { place: Place, anchor: usize, items: Vec<Node> },
    Map { place: Place, anchor: usize, entries: Vec<Entry>, key: Option<(String, Place)> },
}

/// Reads the one document of `text`. Faults of form (keys that stand twice, tags, merge keys) are collected beside the
/// tree; when the text is no YAML at all there is no tree.
pub(crate) fn read(text: &str) -> (Option<Node>, Vec<Remark>) {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let outcome = match event {
            Ok((event, span)) => builder.take(event, place_of(&span.start)),
            Err(error) => Err((place_of(error.marker()), explain(error.info()))),
        };
        if let Err((place, text)) = outcome {
            builder.faults.push(Remark { place, key: String::new(), text });
            return (None, builder.faults);
        }
    }
    (builder.root, builder.faults)
}

/// The parser's words, with what people usually did. They quote no more than one character of the file.
fn explain(info: &str) -> String {
    let usual = if info.contains("simple key") {
        " (a key in or just above this line lacks its `:`, or the space after it)"
    } else if info.contains("tab") {
        " (indent with spaces)"
    } else {
        ""
    };
    format!("this is not YAML: {info}{usual}")
}

fn place_of(mark: &Marker) -> Place {
    Place { line: mark.line().max(1), column: mark.col() + 1 }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    faults: Vec<Remark>,
}

/// A fault after which reading on makes no sense.
type Fatal = (Place, String);

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Fatal> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((place, "a second document begins here; a configuration is one document".to_owned()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), place);
                let value = if style == ScalarStyle::Plain { plain(&text) } else { Value::Text(text.to_string()) };
                // A plain text is also what a key may be: `5:` is the key "5".
                self.put(Node { place, value }, Some(&text), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), place);
                self.push(Open::List { place, anchor, items: Vec::new() }, place)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), place);
                self.push(Open::Map { place, anchor, entries: Vec::new(), key: None }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { place, anchor, items }) => {
                    self.put(Node { place, value: Value::List(items) }, None, anchor)
                }
                Some(Open::Map { place, anchor, entries, .. }) => {
                    self.put(Node { place, value: Value::Map(entries) }, None, anchor)
                }
                None => Err((place, "this is not YAML: something ends that never began".to_owned())),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    self.nodes += size(&node);
                    let text = match &node.value {
                        Value::Text(text) => Some(text.clone()),
                        _ => None,
                    };
                    self.put(node, text.as_deref(), 0)
                }
                None => Err((place, "this alias stands inside the very thing it names".to_owned())),
            },
        }
    }

    fn refuse_tag(&mut self, tagged: bool, place: Place) {
        if tagged {
            let text = "tags (`!…`) are not used here; write the value without".to_owned();
            self.faults.push(Remark { place, key: String::new(), text });
        }
    }

    fn push(&mut self, open: Open, place: Place) -> Result<(), Fatal> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err((place, "a list or mapping stands where a key was expected".to_owned()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err((place, format!("this is nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node, as_key: Option<&str>, anchor: usize) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err((node.place, format!("this file has more than {MAX_NODES} values")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => match as_key {
                    Some(text) => *key = Some((text.to_owned(), node.place)),
                    None => return Err((node.place, "a list or mapping stands where a key was expected".to_owned())),
                },
                Some((key, key_place)) => {
                    let earlier = entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_place.line);
                    if key == "<<" {
                        let text = "merge keys (`<<`) are not used here; write the keys out".to_owned();
                        self.faults.push(Remark { place: key_place, key: String::new(), text });
                    } else if let Some(line) = earlier {
                        let text = format!("the key {} stands twice; it already stands in line {line}", shown(&key));
                        self.faults.push(Remark { place: key_place, key: String::new(), text });
                    } else {
                        entries.push(Entry { key, key_place, node });
                    }
                }
            },
        }
        Ok(())
    }
}

/// How many nodes an alias copies.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => items.iter().map(|item| 1 + size(item)).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.node)).sum(),
        _ => 0,
    }
}

/// The core schema of YAML 1.2 (10.3.2), less what nobody configures: octal, hexadecimal, `.inf`, `.nan` stay texts.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return Value::Text(text.to_owned());
    }
    if let Ok(integer) = text.parse() {
        return Value::Integer(integer);
    }
    match text.parse() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(usize, usize, String)> {
        read(text).1.into_iter().map(|r| (r.place.line, r.place.column, r.text)).collect()
    }

    #[test]
    fn every_key_that_stands_twice_is_named_with_its_place() {
        // Q01
        let found = faults("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
        let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
        assert_eq!(places, [(4, 3), (5, 1)]);
        assert!(found[0].2.contains("already stands in line 3"), "{found:?}");
        assert!(faults("a: 1\nb:\n  c: 1\n  d: 2\n").is_empty());
    }

    #[test]
    fn an_alias_is_a_copy_and_copies_are_bounded() {
        let (root, faults) = read("a: &x [1, 2]\nb: *x\n");
        assert!(faults.is_empty());
        let Value::Map(entries) = root.unwrap().value else { panic!("a map") };
        assert!(matches!(&entries[1].node.value, Value::List(items) if items.len() == 2));

        let mut bomb = String::from("l0: &l0 [1,1,1,1,1,1,1,1,1,1]\n");
        for level in 1..12 {
            let earlier = level - 1;
            bomb.push_str(&format!("l{level}: &l{level} [{}]\n", vec![format!("*l{earlier}"); 10].join(",")));
        }
        let (root, faults) = read(&bomb);
        assert!(root.is_none());
        assert!(faults[0].text.contains("values"), "{faults:?}");
        assert!(read("a: &x [*x]\n").0.is_none());
    }

    #[test]
    fn what_a_configuration_never_needs_is_refused_without_a_panic() {
        for text in [
            "a: !!binary x\n",
            "a: !secret x\n",
            "<<: {a: 1}\n",
            "a: 1\n---\nb: 2\n",
            "? [a]\n: b\n",
            "a: [1\n",
            "a: 'x\n",
            "a:\n\tb: 1\n",
            "a: b: c\n",
            "}\n",
            "*x\n",
            "a: \"\\q\"\n",
            "%TAG ! x\n",
        ] {
            assert!(!faults(text).is_empty(), "{text:?}");
        }
        assert!(!faults(&"[".repeat(5000)).is_empty());
        assert!(!faults(&"- ".repeat(5000)).is_empty());
    }

    #[test]
    fn plain_values_have_the_types_of_yaml_1_2() {
        assert!(matches!(plain("~"), Value::Null));
        assert!(matches!(plain("yes"), Value::Text(_)));
        assert!(matches!(plain("-12"), Value::Integer(-12)));
        assert!(matches!(plain("1.5"), Value::Number(_)));
        assert!(matches!(plain("127.0.0.1"), Value::Text(_)));
        assert!(matches!(plain("0x10"), Value::Text(_)));
        assert!(matches!(plain("infinity"), Value::Text(_)));
        assert!(matches!(plain("1e3"), Value::Number(_)));
        assert!(matches!(plain("12:30"), Value::Text(_)));
    }
}
