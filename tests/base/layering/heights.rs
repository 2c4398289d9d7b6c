//! The comments above the `mod` lines of folders: "Above `…`; below `…`. Bottom to top: `…`, `self`, `…`."

use std::collections::{BTreeMap, BTreeSet};

use crate::layering::arrows::Arrows;
use crate::layering::rules::{Layers, module};
use crate::layering::tree::Sources;

fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the file or folder in a folder that a file belongs to; `self` for the file of the folder itself.
fn child<'f>(folder: &str, file: &'f str) -> Option<&'f str> {
    match file.strip_prefix(folder)? {
        ".rs" | "/mod.rs" => Some("self"),
        inner => inner.strip_prefix('/').map(module),
    }
}

/// Returns what is wrong with these comments. A folder with less than two files, or with independent ones, needs none.
pub(crate) fn misstated(layers: &Layers, sources: &Sources, arrows: &Arrows) -> Vec<String> {
    let mut lists = BTreeMap::from([("", layers.modules().collect::<Vec<_>>())]);
    let mut wrong = Vec::new();
    let folders: BTreeSet<_> = sources.keys().filter_map(|file| Some(file.rsplit_once('/')?.0)).collect();
    for folder in folders {
        let children: BTreeSet<_> = sources.keys().filter_map(|file| child(folder, file)).collect();
        let inner = arrows.keys().filter_map(|(from, to)| Some((child(folder, to)?, child(folder, from)?)));
        let inner: BTreeSet<_> = inner.filter(|(to, from)| to != from).collect();
        if children.len() < 3 || inner.is_empty() {
            continue;
        }
        let file = sources.get(&format!("{folder}/mod.rs")).or_else(|| sources.get(&format!("{folder}.rs")));
        let comment = file.and_then(|text| text.split_once("// Above ")?.1.split("\n\n").next());
        let (height, list) = comment.and_then(|text| text.split_once("Bottom to top")).unwrap_or_default();
        let (above, below) = height.split_once(';').unwrap_or((height, ""));
        let (list, (parent, own)) = (names(list), folder.rsplit_once('/').unwrap_or(("", folder)));
        if list.len() != children.len() || list.iter().any(|name| !children.contains(name)) {
            wrong.push(format!("{folder}: the list has {list:?}, the folder has {children:?}"));
        }
        let above = names(above).into_iter().map(|low| (parent, low, own));
        let below = names(below).into_iter().map(|high| (parent, own, high));
        lists.insert(folder, list);
        let orders = inner.into_iter().map(|(to, from)| (folder, to, from)).chain(above).chain(below);
        wrong.extend(orders.filter_map(|(list, low, high)| {
            let place = |name| lists.get(list)?.iter().position(|listed| *listed == name);
            let is_before = place(low).is_some_and(|low| Some(low) < place(high));
            (!is_before).then(|| format!("{folder}: {low} is not before {high}"))
        }));
    }
    wrong
}
