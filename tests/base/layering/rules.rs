//! What arrows may not do.

use std::collections::{BTreeMap, BTreeSet};

use crate::layering::arrows::{Arrows, SplitImpl};

/// The layers, from the lowest to the highest, each with its modules. A module may import those before it. Nothing imports the last layer.
#[derive(Debug)]
pub(crate) struct Layers(Vec<(String, Vec<String>)>);

impl Layers {
    /// Reads the table between `<!-- layers -->` and `<!-- /layers -->`: a layer in the first column, its modules as code in the second.
    pub(crate) fn read(text: &str) -> Self {
        let table =
            text.split_once("<!-- layers -->").and_then(|(_, rest)| rest.split_once("<!-- /layers -->"));
        let (table, _) = table.expect("a table between `<!-- layers -->` and `<!-- /layers -->`");
        let rows = table.lines().filter(|line| line.starts_with('|')).skip(2).map(|row| {
            let mut cells = row.split('|').skip(1).map(str::trim);
            let layer = cells.next().expect("a layer").to_owned();
            let modules = cells.next().expect("modules").split('`').skip(1).step_by(2);
            (layer, modules.map(str::to_owned).collect())
        });
        Self(rows.collect())
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|(_, modules)| modules).map(String::as_str)
    }

    /// Returns whether a module is in the lowest layer.
    pub(crate) fn is_word(&self, module: &str) -> bool {
        self.0.first().is_some_and(|(_, modules)| modules.iter().any(|word| word == module))
    }

    /// Returns the line with the layer of a module that its files hold.
    pub(crate) fn line_of(&self, module: &str) -> Option<String> {
        let index = self.0.iter().position(|(_, modules)| modules.iter().any(|listed| listed == module))?;
        Some(format!("// Layer {} of {}: {}.", index + 1, self.0.len(), self.0[index].0))
    }

    fn is_rim(&self, module: &str) -> bool {
        self.0.last().is_some_and(|(_, modules)| modules.iter().any(|rim| rim == module))
    }

    fn rank(&self, module: &str) -> Option<usize> {
        self.modules().position(|listed| listed == module)
    }
}

/// Returns the top-level module that a file belongs to.
pub(crate) fn module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Returns what is wrong with the table: modules without a place, places without a module.
pub(crate) fn misplaced<'f>(layers: &Layers, files: impl Iterator<Item = &'f String>) -> Vec<String> {
    let modules: BTreeSet<_> = files.map(|file| module(file)).filter(|module| *module != "lib").collect();
    let mut seen = BTreeSet::new();
    let missing = modules.iter().filter(|module| layers.rank(module).is_none());
    let mut wrong: Vec<_> = missing.map(|module| format!("module {module} has no layer")).collect();
    for listed in layers.modules() {
        if !modules.contains(listed) {
            wrong.push(format!("no module {listed}"));
        } else if !seen.insert(listed) {
            wrong.push(format!("module {listed} has two layers"));
        }
    }
    wrong
}

/// Returns the arrows that point up, each with its names. The root of the crate imports any module, and no module imports it.
pub(crate) fn upward(layers: &Layers, arrows: &Arrows) -> Vec<String> {
    let is_upward = |from: &str, to: &str| {
        let (from, to) = (module(from), module(to));
        from != "lib"
            && from != to
            && (layers.is_rim(to) || to == "lib" || layers.rank(from) <= layers.rank(to))
    };
    let found = arrows.iter().filter(|((from, to), _)| is_upward(from, to));
    found.map(|((from, to), names)| line(from, to, names)).collect()
}

pub(crate) fn line(from: &str, to: &str, names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    format!("{from} → {to}: {}", names.join(", "))
}

/// Returns all files that arrows lead to from one.
fn reached<'a>(arrows: &'a Arrows, begin: &str) -> BTreeSet<&'a str> {
    fn add<'a>(arrows: &'a Arrows, file: &str, found: &mut BTreeSet<&'a str>) {
        let behind = arrows.range((file.to_owned(), String::new())..).map(|(arrow, _)| arrow);
        for (_, to) in behind.take_while(|(from, _)| from == file) {
            if found.insert(to) {
                add(arrows, to, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    add(arrows, begin, &mut found);
    found
}

/// Returns the circles: the largest sets of files, each of which leads to all the others.
pub(crate) fn circles(arrows: &Arrows) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&str, _> =
        arrows.keys().map(|(from, _)| (from.as_str(), reached(arrows, from))).collect();
    let circle = |file: &str| -> BTreeSet<String> {
        let leads_back = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(file));
        reached[file].iter().filter(leads_back).map(|other| (*other).to_owned()).collect()
    };
    let circles: BTreeSet<_> =
        reached.keys().map(|file| circle(file)).filter(|circle| circle.len() > 1).collect();
    circles.into_iter().collect()
}

/// Returns the arrows among the files of a circle, each with its names.
pub(crate) fn describe(circle: &BTreeSet<String>, arrows: &Arrows) -> String {
    let within = arrows.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    let lines: Vec<_> = within.map(|((from, to), names)| line(from, to, names)).collect();
    lines.join("\n")
}

/// Returns the inherent impls that stand neither beside their type nor below its module, where a call shows no arrow to them.
pub(crate) fn foreign_impls(impls: &BTreeSet<SplitImpl>) -> Vec<&SplitImpl> {
    let folder = |file: &str| file.rfind('/').map(|end| file[..end].to_owned());
    let is_beside =
        |found: &SplitImpl| folder(&found.file).is_some_and(|own| folder(&found.type_file) == Some(own));
    impls.iter().filter(|found| !found.is_below && !is_beside(found)).collect()
}
