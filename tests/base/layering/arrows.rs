//! Which file names what of which other file.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ImplItem, Item, ItemImpl, ItemUse};

use crate::layering::tree::{
    Id, Target, Tree, attributes, imports, is_of_crate, is_reexport, is_test, segments, type_path,
};

/// The arrows between files, each with the names that cause it.
pub(crate) type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// A type, by the file that defines it and its name there.
type Named = (String, String);

/// An inherent impl in another file than its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SplitImpl {
    pub(crate) file: String,
    pub(crate) type_file: String,
    pub(crate) type_name: String,
    /// Whether its module is below that of the type.
    pub(crate) is_below: bool,
}

/// The files in which each type has each of its methods, from all inherent impls.
#[derive(Default)]
struct Methods(BTreeMap<Named, BTreeMap<String, BTreeSet<String>>>);

impl Methods {
    fn read(tree: &Tree) -> Self {
        let mut methods = Self::default();
        for (id, file, item) in inherent_impls(tree) {
            for of in types(tree, id, item) {
                let methods = methods.0.entry(named(tree, of)).or_default();
                for member in &item.items {
                    if let ImplItem::Fn(method) = member
                        && !is_test(&method.attrs)
                    {
                        methods.entry(method.sig.ident.to_string()).or_default().insert(file.to_owned());
                    }
                }
            }
        }
        methods
    }

    fn files(&self, named: &Named, method: &str) -> impl Iterator<Item = &String> {
        self.0.get(named).and_then(|methods| methods.get(method)).into_iter().flatten()
    }

    /// Returns the one type that has a method of this name, of those that a file knows.
    fn only_owner(&self, method: &str, is_known: impl Fn(&Named) -> bool) -> Option<&Named> {
        let mut owners =
            self.0.iter().filter(|(named, methods)| methods.contains_key(method) && is_known(named));
        owners.next().filter(|_| owners.next().is_none()).map(|(named, _)| named)
    }
}

fn inherent_impls(tree: &Tree) -> impl Iterator<Item = (Id, &str, &ItemImpl)> {
    tree.modules.iter().enumerate().flat_map(|(id, module)| {
        module.items.iter().filter_map(move |item| match item {
            Item::Impl(item) if item.trait_.is_none() => Some((id, module.file.as_str(), item)),
            _ => None,
        })
    })
}

fn types(tree: &Tree, module: Id, item: &ItemImpl) -> BTreeSet<(Id, String)> {
    type_path(&item.self_ty).map_or_else(BTreeSet::new, |path| tree.types(module, &path))
}

fn named(tree: &Tree, (id, name): (Id, String)) -> Named {
    (tree.modules[id].file.clone(), name)
}

/// Returns the inherent impls that stand in another file than their type.
pub(crate) fn split_impls(tree: &Tree) -> BTreeSet<SplitImpl> {
    let impls = inherent_impls(tree).flat_map(|(id, file, item)| {
        types(tree, id, item).into_iter().map(move |of| {
            let is_below = tree.is_below(id, of.0);
            let (type_file, type_name) = named(tree, of);
            SplitImpl { file: file.to_owned(), type_file, type_name, is_below }
        })
    });
    impls.filter(|found| found.file != found.type_file).collect()
}

/// Returns the arrows between all files of a tree.
pub(crate) fn arrows(tree: &Tree) -> Arrows {
    read(tree).arrows
}

/// Returns the paths into the crate of which it is not seen where they lead.
pub(crate) fn unresolved(tree: &Tree) -> BTreeSet<String> {
    read(tree).unresolved
}

/// What is read of all files.
#[derive(Default)]
struct Found {
    arrows: Arrows,
    /// The methods that are called on values whose type is not written there, by file.
    calls: BTreeSet<(String, String)>,
    unresolved: BTreeSet<String>,
}

fn read(tree: &Tree) -> Found {
    let methods = Methods::read(tree);
    let mut found = Found::default();
    for module in 0..tree.modules.len() {
        let mut reader = Reader {
            tree,
            module,
            methods: &methods,
            own: Vec::new(),
            variables: BTreeSet::new(),
            found: &mut found,
        };
        tree.modules[module].items.iter().for_each(|item| reader.visit_item(item));
    }
    let named = found.arrows.clone();
    for (from, method) in &found.calls {
        // Whose method it is shows where one type only, of those that the file names, has such a method.
        let is_known = |(file, _): &Named| from == file || named.contains_key(&(from.clone(), file.clone()));
        if let Some(of) = methods.only_owner(method, is_known) {
            // The file of the type is named anyhow.
            for to in methods.files(of, method).filter(|to| **to != of.0) {
                add(&mut found.arrows, from, to, format!("{}::{method}", of.1));
            }
        }
    }
    found
}

fn add(arrows: &mut Arrows, from: &str, to: &str, name: String) {
    if from != to {
        arrows.entry((from.to_owned(), to.to_owned())).or_default().insert(name);
    }
}

/// Reads the items of one module.
struct Reader<'t> {
    tree: &'t Tree,
    module: Id,
    methods: &'t Methods,
    /// What `Self` is.
    own: Vec<Named>,
    /// The variables of the function that is read.
    variables: BTreeSet<String>,
    found: &'t mut Found,
}

/// The names that patterns bind.
#[derive(Default)]
struct Variables(BTreeSet<String>);

fn variables(read: impl FnOnce(&mut Variables)) -> BTreeSet<String> {
    let mut variables = Variables::default();
    read(&mut variables);
    variables.0
}

impl<'a> Visit<'a> for Variables {
    fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
        self.0.insert(pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }
}

impl Reader<'_> {
    fn file(&self) -> String {
        self.tree.modules[self.module].file.clone()
    }

    fn add_path(&mut self, path: &[String]) {
        if path.len() == 1 && self.variables.contains(&path[0]) {
            return;
        }
        if path[0] == "Self" {
            if let Some(method) = path.get(1) {
                self.add_own(method);
            }
            return;
        }
        let targets = self.tree.resolve(self.module, path);
        if targets.is_empty() && is_of_crate(path) {
            self.found.unresolved.insert(format!("{}: {}", self.file(), path.join("::")));
        }
        for target in targets {
            let Target::Item(id, name, member) = target else { continue };
            let file = self.file();
            add(&mut self.found.arrows, &file, &self.tree.modules[id].file, name.clone());
            let Some(member) = member else { continue };
            for of in self.tree.types(id, &[name]) {
                let named = named(self.tree, of);
                for to in self.methods.files(&named, &member) {
                    add(&mut self.found.arrows, &file, to, format!("{}::{member}", named.1));
                }
            }
        }
    }

    /// Adds the file in which `Self` has a method.
    fn add_own(&mut self, method: &str) {
        for named in &self.own {
            for to in self.methods.files(named, method) {
                add(
                    &mut self.found.arrows,
                    &self.tree.modules[self.module].file,
                    to,
                    format!("{}::{method}", named.1),
                );
            }
        }
    }

    fn add_call(&mut self, is_own: bool, method: String) {
        if is_own {
            self.add_own(&method);
        } else {
            self.found.calls.insert((self.file(), method));
        }
    }

    /// Reads what a macro is given, in which a path is a path, and a single lower-case name may be a variable unless it is called.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let is_punct = |at: usize, symbol: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == symbol);
        let is_colons = |at: usize| is_punct(at, ':') && is_punct(at + 1, ':');
        let is_called = |at: usize| matches!(tokens.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let begin = at;
                    let mut path = vec![first.to_string()];
                    while is_colons(at + 1)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    let follows = |symbol| begin > 0 && is_punct(begin - 1, symbol);
                    let is_member = follows('.') && !(begin > 1 && is_punct(begin - 2, '.'));
                    let is_variable = follows('$') && path[0] != "crate" || follows('\'');
                    let is_item = path.len() > 1
                        || path[0].starts_with(char::is_uppercase)
                        || is_called(at + 1)
                        || is_punct(at + 1, '!') && !is_punct(at + 2, '=');
                    if is_member {
                        let is_own = begin > 1
                            && matches!(&tokens[begin - 2], TokenTree::Ident(ident) if ident == "self");
                        if is_called(at + 1) {
                            self.add_call(is_own, path.remove(0));
                        }
                    } else if !is_variable
                        && is_item
                        && !(follows(':') && begin > 1 && is_punct(begin - 2, ':'))
                    {
                        self.add_path(&path);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    /// The modules below are read by themselves.
    fn visit_item_mod(&mut self, _: &'a syn::ItemMod) {}

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !is_reexport(item) {
            imports(item).iter().for_each(|import| self.add_path(&import.path));
        }
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        let own = types(self.tree, self.module, item).into_iter().map(|of| named(self.tree, of)).collect();
        let outer = std::mem::replace(&mut self.own, own);
        visit::visit_item_impl(self, item);
        self.own = outer;
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        let outer = self.variables.clone();
        self.variables.extend(variables(|reader| reader.visit_item_fn(item)));
        visit::visit_item_fn(self, item);
        self.variables = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.variables = variables(|reader| reader.visit_impl_item_fn(item));
            visit::visit_impl_item_fn(self, item);
            self.variables.clear();
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() {
            self.add_path(&segments(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let is_own = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        self.add_call(is_own, call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        visit::visit_macro(self, called);
        self.add_tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}
}
