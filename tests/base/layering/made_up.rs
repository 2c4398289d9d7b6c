//! The rules on small crates that are made up, so that each is seen to fail.

use std::collections::BTreeSet;

use crate::layering::arrows::{SplitImpl, arrows, split_impls, unresolved};
use crate::layering::heights::misstated;
use crate::layering::rules::{Layers, circles, describe, foreign_impls, misplaced, upward};
use crate::layering::tree::{Sources, Tree};

const LAYERS: &str = "
| not | `this` |
<!-- layers -->
| Layer | Modules | Contents |
|---|---|---|
| words | `low`, `middle` | of no `interest` |
| rim | `high`, `peak` | |
<!-- /layers -->
";

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::read(&sources(files))
}

/// Returns the arrows as `from → to: names`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let found = arrows(&tree(files));
    let files = found.keys().flat_map(|(from, to)| [from.clone(), to.clone()]).collect();
    describe(&files, &found).lines().map(str::to_owned).collect()
}

fn set(files: &[&str]) -> BTreeSet<String> {
    files.iter().map(|file| (*file).to_owned()).collect()
}

/// Returns the arrows from `a.rs` with this text. Beside it are `b`, with a child, and `c`, which shows what is in it.
fn from_a(text: &str) -> Vec<String> {
    found(&[
        ("lib.rs", "mod a; mod b; mod c; pub use b::Thing;"),
        ("a.rs", text),
        (
            "b/mod.rs",
            "mod child; pub use child::{Deep, deep}; pub struct Thing; pub trait Can { fn go(&self); }",
        ),
        (
            "b/child.rs",
            "pub struct Deep; pub fn deep() {} macro_rules! shout { () => {} } pub(crate) use shout;",
        ),
        ("c.rs", "pub use crate::b::*;"),
    ])
}

#[test]
fn each_way_to_name_an_item_is_an_arrow() {
    for text in [
        "use crate::b::Thing;",
        "use super::b::{Thing};",
        "use crate::b::Thing as Other;",
        "use crate::Thing;",
        "use crate::c::Thing;",
        "use crate::c::*; type Own = Vec<Thing>;",
        "use crate::b; fn f(_: &b::Thing) {}",
        "use crate::b::{self as other}; fn f() -> other::Thing { loop {} }",
        "fn f() { let _: crate::b::Thing; }",
        "fn f() { use crate::b::Thing; }",
        "fn f() { println!(\"{:?}\", crate::b::Thing); }",
        "macro_rules! make { () => { $crate::b::Thing } }",
        "mod inner { use super::super::b::Thing; }",
    ] {
        assert_eq!(from_a(text), ["a.rs → b/mod.rs: Thing"], "{text}");
    }
    assert_eq!(from_a("struct A; impl crate::b::Can for A {}"), ["a.rs → b/mod.rs: Can"]);
}

#[test]
fn a_name_leads_to_the_file_that_defines_it() {
    for text in ["use crate::b::Deep;", "use crate::c::Deep;", "use super::b; fn f() { let _ = b::Deep; }"] {
        assert_eq!(from_a(text), ["a.rs → b/child.rs: Deep"], "{text}");
    }
    assert_eq!(from_a("fn f() { crate::b::deep(); }"), ["a.rs → b/child.rs: deep"]);
    assert_eq!(from_a("pub use crate::b::deep; fn f() { deep(); }"), ["a.rs → b/child.rs: deep"]);
    assert_eq!(from_a("fn f() { crate::b::child::shout!(); }"), ["a.rs → b/child.rs: shout"]);
}

#[test]
fn an_item_inside_a_macro_is_one_of_its_file() {
    let macros = "pin_project! { pub struct Pinned { #[pin] own: crate::a::A } }";
    let files =
        [("lib.rs", "mod a; mod b;"), ("a.rs", "pub struct A; use crate::b::Pinned;"), ("b.rs", macros)];
    assert_eq!(found(&files), ["a.rs → b.rs: Pinned", "b.rs → a.rs: A"]);
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let lost = |text: &str| unresolved(&tree(&[("lib.rs", "mod a; pub use std::sync;"), ("a.rs", text)]));
    assert_eq!(lost("use crate::sync::Arc; use super::sync; use std::fmt; fn f() { sync::g(); }"), set(&[]));
    assert_eq!(lost("use crate::gone;"), set(&["a.rs: crate::gone"]));
    assert_eq!(lost("fn f() { super::a::gone(); }"), set(&["a.rs: super::a::gone"]));
}

#[test]
fn tests_docs_and_reexports_are_no_arrows() {
    for text in [
        "pub use crate::b::Thing;",
        "pub(super) use crate::b::Thing;",
        "/// See [`crate::b::Thing`].\nstruct A;",
        "// crate::b::Thing",
        "#[cfg(test)] mod tests { use crate::b::Thing; }",
        "#[cfg(test)] mod elsewhere;",
        "#[cfg(all(test, shuttle))] use crate::b::Thing;",
        "#[cfg(any(test))] fn f(_: crate::b::Thing) {}",
        "struct A; impl A { #[cfg(test)] fn f(_: crate::b::Thing) {} }",
        "use ::b::Thing;",
        "use std::fmt::Debug as Thing; fn f(_: &dyn Thing) {}",
        "fn f(b: u8) { println!(\"{}\", b.Thing); }",
        "pub use crate::b::deep; fn f(deep: fn()) { deep(); }",
        "pub use crate::b::deep; struct A; impl A { fn f() { let deep = 1; println!(\"{}\", deep); } }",
        "pub(in crate::b) struct A;",
    ] {
        assert_eq!(from_a(text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(from_a("#[cfg(any(test, unix))] use crate::b::Thing;").len(), 1);
    assert_eq!(from_a("#[cfg(not(test))] use crate::b::Thing;").len(), 1);
}

#[test]
fn twins_are_both_arrows() {
    let alternatives = "#[cfg(unix)] mod x; #[cfg(not(unix))] mod y; #[cfg(unix)] pub use x::*; #[cfg(not(unix))] pub use y::*;";
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::f;"),
        ("b/mod.rs", alternatives),
        ("b/x.rs", "pub fn f() {}"),
        ("b/y.rs", "pub fn f() {}"),
    ];
    assert_eq!(found(&files), ["a.rs → b/x.rs: f", "a.rs → b/y.rs: f"]);
}

#[test]
fn a_file_of_several_modules_leads_to_the_names_of_each() {
    let at = "#[path = \"shared/mod.rs\"] mod shared; type Store = Own; struct Own;";
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", at),
        ("b.rs", at),
        ("shared/mod.rs", "mod deep; use super::Store;"),
        ("shared/deep.rs", "use super::Store; impl Store { fn f(&self) {} }"),
    ];
    let arrows = found(&files);
    for (from, to) in [("mod", "a"), ("mod", "b"), ("deep", "a"), ("deep", "b")] {
        assert!(arrows.contains(&format!("shared/{from}.rs → {to}.rs: Store")), "{arrows:?}");
    }
    let impls = split_impls(&tree(&files));
    assert_eq!(impls.len(), 2);
    assert!(foreign_impls(&impls).is_empty(), "{impls:?}");
}

#[test]
fn a_call_is_an_arrow_to_the_file_of_the_method() {
    let split = |main: &'static str| {
        [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", main),
            ("a/more.rs", "use super::A; impl A { pub fn more(&self) {} }"),
        ]
    };
    for main in [
        "mod more; struct A; impl A { fn f(&self) { self.more(); } }",
        "mod more; struct A; impl A { fn f(&self) { Self::more(self); } }",
        "mod more; struct A; impl A { fn f(&self) { println!(\"{:?}\", self.more()); } }",
        "mod more; struct A; fn f(a: &A) { A::more(a); }",
        "mod more; struct A; fn f(a: &A) { a.more(); }",
        "mod more; struct A; impl Drop for A { fn drop(&mut self) { self.more(); } }",
    ] {
        assert_eq!(
            found(&split(main)),
            ["a/mod.rs → a/more.rs: A::more", "a/more.rs → a/mod.rs: A"],
            "{main}"
        );
    }
    assert_eq!(found(&split("mod more; struct A;")), ["a/more.rs → a/mod.rs: A"]);
}

#[test]
fn a_parent_that_uses_a_child_that_uses_it_is_a_circle() {
    let circular = |child: &'static str| {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod child; mod shared; pub use shared::Shared; pub struct Own(child::Child);"),
            ("a/child.rs", child),
            ("a/shared.rs", "pub struct Shared;"),
            ("b.rs", "pub struct B; fn f(_: crate::a::Own) {}"),
        ];
        circles(&arrows(&tree(&files)))
    };
    assert_eq!(circular("use super::Shared; pub struct Child;"), []);
    assert_eq!(circular("use super::Own; pub struct Child;"), [set(&["a/child.rs", "a/mod.rs"])]);
    let across = circular("pub struct Child(crate::b::B);");
    assert_eq!(across, [set(&["a/child.rs", "a/mod.rs", "b.rs"])]);
}

#[test]
fn arrows_point_down_the_table() {
    let files = |low, middle, high| {
        let files = [
            ("lib.rs", "mod low; mod middle; mod high; mod peak; pub use high::H; fn f(_: high::H) {}"),
            ("low.rs", low),
            ("middle/mod.rs", "mod part; pub struct M;"),
            ("middle/part.rs", middle),
            ("high.rs", high),
            ("peak.rs", "pub struct P;"),
        ];
        upward(&Layers::read(LAYERS), &arrows(&tree(&files)))
    };
    let (low, high) = ("pub struct L;", "pub struct H;");
    assert!(files(low, "use crate::low::L; use super::M;", high).is_empty());
    assert!(files(low, "", "pub struct H; use crate::{low::L, middle::M};").is_empty());
    assert_eq!(files("use crate::middle::M;", "", high), ["low.rs → middle/mod.rs: M"]);
    assert_eq!(files(low, "use crate::H;", high), ["middle/part.rs → high.rs: H"]);
    assert_eq!(files(low, "use crate::f;", high), ["middle/part.rs → lib.rs: f"]);
    assert_eq!(files(low, "", "pub struct H; use crate::peak::P;"), ["high.rs → peak.rs: P"]);
}

#[test]
fn the_table_has_each_module_once() {
    let check = |files: &[&str]| {
        let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
        misplaced(&Layers::read(LAYERS), files.iter())
    };
    assert!(check(&["lib.rs", "low.rs", "middle/mod.rs", "high.rs", "peak/x/y.rs"]).is_empty());
    assert_eq!(check(&["low.rs", "middle.rs", "high.rs"]), ["no module peak"]);
    assert_eq!(check(&["low.rs", "middle.rs", "high.rs", "peak.rs", "new.rs"]), ["module new has no layer"]);
    let twice = Layers::read(&LAYERS.replace("`peak`", "`low`"));
    let files = ["low.rs", "middle.rs", "high.rs"].map(str::to_owned);
    assert_eq!(misplaced(&twice, files.iter()), ["module low has two layers"]);
}

#[test]
fn methods_far_from_their_type_are_found() {
    let impls = |of: &'static str| {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a/mod.rs", "mod x; mod y; pub struct A;"),
            ("a/x.rs", "pub struct X; impl super::A { fn f(&self) {} }"),
            ("a/y.rs", "impl super::x::X { fn f(&self) {} }"),
            ("b.rs", of),
            ("c.rs", "pub struct C; pub trait T {}"),
        ];
        let found = split_impls(&tree(&files));
        let far = foreign_impls(&found).into_iter();
        far.map(|SplitImpl { file, type_file, .. }| format!("{file} → {type_file}")).collect::<Vec<_>>()
    };
    assert!(impls("use crate::c::T; impl T for crate::c::C {}").is_empty());
    assert_eq!(impls("impl crate::c::C { fn f(&self) {} }"), ["b.rs → c.rs"]);
    assert_eq!(impls("use crate::a::A as Other; impl Other { fn f(&self) {} }"), ["b.rs → a/mod.rs"]);
}

#[test]
fn a_comment_of_a_folder_that_misstates_it_is_found() {
    let wrong = |comment: &str| {
        let own = format!("{comment}\n\nmod one; mod two;");
        let two = "use super::one::One;";
        let files = [
            ("lib.rs", "mod middle;"),
            ("middle/mod.rs", &own),
            ("middle/one.rs", "pub struct One;"),
            ("middle/two.rs", two),
        ];
        let sources = sources(&files);
        misstated(&Layers::read(LAYERS), &sources, &arrows(&Tree::read(&sources)))
    };
    assert_eq!(wrong("// Above `low`; below `high`. Bottom to top:\n// `one`, `two`, `self`."), [""; 0]);
    for (comment, found) in [
        ("", "middle: the list has [], the folder has"),
        ("// Above `low`. Bottom to top: `one`, `self`.", "middle: the list has"),
        ("// Above `low`. Bottom to top: `two`, `one`, `self`.", "middle: one is not before two"),
        ("// Above `high`. Bottom to top: `one`, `two`, `self`.", "middle: high is not before middle"),
        (
            "// Above `low`; below `gone`. Bottom to top: `one`, `two`, `self`.",
            "middle: middle is not before gone",
        ),
    ] {
        assert!(wrong(comment)[0].starts_with(found), "{comment}: {:?}", wrong(comment));
    }
}
