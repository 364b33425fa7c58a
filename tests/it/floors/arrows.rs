//! Which file uses which, read from the code: `use` lines and full paths, followed through re-exports to the file where a
//! thing is written down. Comments, texts and test code do not count.

use std::collections::{BTreeMap, BTreeSet};

/// A module by its names from the crate's root, such as `["auth", "judge"]`.
pub type Module = Vec<String>;

/// The files of the crate and what they say.
pub struct Crate(BTreeMap<Module, File>);

struct File {
    code: String,
    children: BTreeSet<String>,
    /// What `use` lines bring in: a path, and the name it has here.
    uses: Vec<(Vec<String>, String)>,
}

impl Crate {
    /// Reads files by their path below `src/`.
    pub fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let module = |path: &str| -> Module {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            path.split('/').map(str::to_owned).collect()
        };
        Self(files.map(|(path, text)| (module(path), File::read(text))).collect())
    }

    /// All arrows: from a file to one that it uses.
    pub fn arrows(&self) -> BTreeSet<(Module, Module)> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.0 {
            for path in file.uses.iter().map(|(path, _)| path.clone()).chain(file.paths()) {
                let to = self.absolute(module, &path).and_then(|path| self.home_of(&path, 0));
                if let Some(to) = to.filter(|to| to != module) {
                    arrows.insert((module.clone(), to));
                }
            }
        }
        arrows
    }

    /// Circles between files of one room. A file and those in its own directory are one thing in several files, and no
    /// circle.
    pub fn circles(&self) -> Vec<Vec<Module>> {
        let below = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
        let mut ways: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in self.arrows() {
            if !below(&from, &to) && from.first() == to.first() {
                ways.entry(from).or_default().insert(to);
            }
        }
        // Rooms are small: what can be reached from where is written out.
        let reach = |from: &Module| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = open.pop() {
                let next = ways.get(&at).into_iter().flatten();
                open.extend(next.filter(|to| seen.insert((*to).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> = ways.keys().map(|from| (from, reach(from))).collect();
        let mut circles: Vec<Vec<Module>> = Vec::new();
        for (from, to) in &reached {
            if to.contains(*from) && !circles.iter().flatten().any(|known| known == *from) {
                let back = |other: &&Module| reached.get(*other).is_some_and(|their| their.contains(*from));
                circles.push(to.iter().filter(back).cloned().collect());
            }
        }
        circles
    }

    /// A path as it is seen from the root; `None` for paths into other crates.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([from, rest].concat()),
            "super" => Some([from.get(..from.len().checked_sub(supers)?)?, path.get(supers..)?].concat()),
            child if self.0.get(from)?.children.contains(child) => Some([from, path].concat()),
            _ => None,
        }
    }

    /// The file in which the thing at `path` is written down.
    fn home_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let (length, file) = (1..=path.len()).rev().find_map(|end| Some((end, self.0.get(path.get(..end)?)?)))?;
        let module = path.get(..length)?.to_vec();
        let name = path.get(length);
        let brought = name.and_then(|name| file.uses.iter().find(|(_, here)| here == name)).filter(|_| depth < 8);
        match brought {
            Some((onward, _)) => {
                let onward = [self.absolute(&module, onward)?.as_slice(), path.get(length + 1..)?].concat();
                self.home_of(&onward, depth + 1)
            }
            None => Some(module),
        }
    }
}

impl File {
    fn read(text: &str) -> Self {
        let code = code_of(text);
        let mut uses = Vec::new();
        let mut children = BTreeSet::new();
        for statement in code.split([';', '}', '{']) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            if let [.., "mod", name] = words.as_slice() {
                children.insert((*name).to_owned());
            }
        }
        // Code between `use` lines; what stands in those is read as a tree.
        let mut between = String::new();
        let mut rest = code.as_str();
        while let Some(at) = rest.find("use ") {
            let (before, tree) = (&rest[..at], &rest[at + 4..]);
            between.push_str(before);
            rest = tree;
            if before.chars().next_back().is_none_or(|before| before.is_whitespace() || before == ')')
                && let Some((tree, after)) = tree.split_once(';')
            {
                read_tree(tree, &[], &mut uses);
                rest = after;
            }
        }
        let code = between + rest;
        Self { code, children, uses }
    }

    /// Paths in the code, beside its `use` lines.
    fn paths(&self) -> impl Iterator<Item = Vec<String>> {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == ':';
        let words = self.code.split(move |sign: char| !is_part(sign));
        words
            .filter(|word| word.contains("::"))
            .map(|word| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>())
    }
}

/// The code of a file: no comments, no texts, nothing of its tests.
pub fn code_of(text: &str) -> String {
    without_tests(&without_texts(text))
}

fn parts(text: &str) -> impl Iterator<Item = String> {
    text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty())
}

/// `a::{b, c::{self, d as e}}` as its single paths, each with the name it has afterwards.
fn read_tree(tree: &str, above: &[String], into: &mut Vec<(Vec<String>, String)>) {
    let Some((front, body)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
        let mut path: Vec<String> = above.iter().cloned().chain(parts(path)).collect();
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if let Some(last) = path.last().cloned() {
            into.push((path, name.map_or(last, str::to_owned)));
        }
        return;
    };
    let above: Vec<String> = above.iter().cloned().chain(parts(front)).collect();
    let body = body.rsplit_once('}').map_or(body, |(body, _)| body);
    let (mut depth, mut start) = (0, 0);
    for (at, sign) in body.char_indices().chain([(body.len(), ',')]) {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                read_tree(&body[start..at], &above, into);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Code without comments and without what stands between quotes.
fn without_texts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let raw =
            rest.strip_prefix('r').map(|after| after.trim_start_matches('#')).filter(|after| after.starts_with('"'));
        let inside_word = out.chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_');
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(after) = raw.filter(|_| !inside_word) {
            let hashes = rest.len() - after.len() - 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = 2 + hashes;
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if sign == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|sign: char| {
                let ends = sign == '"' && !escaped;
                escaped = sign == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if sign == '\'' {
            // A lifetime is no text.
            let mut signs = rest.char_indices().skip(1);
            match (signs.next(), signs.next()) {
                (Some((_, '\\')), _) => {
                    rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 3)
                }
                (Some(_), Some((at, '\''))) => at + 1,
                _ => {
                    out.push(' ');
                    1
                }
            }
        } else {
            out.push(sign);
            sign.len_utf8()
        };
        rest = &rest[skip.min(rest.len())..];
    }
    out
}

/// Code without the items that are only there in tests.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(MARK) {
        out.push_str(before);
        let mut depth = 0_i32;
        let end = after.char_indices().find(|(_, sign)| {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(sign, ';' | '}')
        });
        rest = end.map_or("", |(at, _)| &after[at + 1..]);
    }
    out + rest
}

#[test]
fn arrows_are_read_from_use_lines_and_full_paths_through_re_exports_and_not_from_tests() {
    let files = [
        (
            "a/mod.rs",
            "mod inner;\npub use inner::Thing;\npub struct Own;\n// crate::d::X\nconst TEXT: &str = \"crate::d::X\";",
        ),
        ("a/inner.rs", "pub struct Thing;"),
        (
            "b.rs",
            "use crate::{a::{Thing, Own as Other}};\n#[cfg(test)]\nfn only() { crate::d::x() }\nfn later<'a>() { crate::c::x('\"') }",
        ),
        ("c.rs", "pub fn x(_: char) {}\n#[cfg(test)]\nmod tests { use crate::d::X; }\nfn end() { super::a::Own; }"),
        ("d.rs", "pub fn x() {}"),
    ];
    let read = Crate::read(files.into_iter());
    let arrows: Vec<String> =
        read.arrows().iter().map(|(from, to)| format!("{}>{}", from.join("/"), to.join("/"))).collect();
    assert_eq!(arrows, ["a>a/inner", "b>a", "b>a/inner", "b>c", "c>a"]);
    assert!(read.circles().is_empty());
}

#[test]
fn a_circle_is_found_and_a_file_with_its_directory_is_none() {
    let files = [
        ("r/mod.rs", "mod a; mod b; mod c; pub use a::A; fn x() { c::c() }"),
        ("r/a.rs", "use super::b::B; pub struct A;"),
        ("r/b.rs", "pub struct B; fn b() { super::A; }"),
        ("r/c.rs", "pub fn c() {} fn up() { super::x() }"),
    ];
    let circles = Crate::read(files.into_iter()).circles();
    assert_eq!(circles, [[["r", "a"].map(str::to_owned).to_vec(), ["r", "b"].map(str::to_owned).to_vec()].to_vec()]);
}
