//! The modules of a crate, read from its sources, and the files that a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemUse, Meta, Token, Type, UseTree, Visibility};

/// The text of each file, by its path below `src`.
pub(crate) type Sources = BTreeMap<String, String>;

/// The index of a module in its tree.
pub(crate) type Id = usize;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(Id),
    /// An item in a module, and the segment of the path behind it, such as the name of a method.
    Item(Id, String, Option<String>),
    /// Something of another crate.
    Outside,
}

/// A name that a `use` brings into a module.
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
}

pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) items: Vec<Item>,
    parent: Option<Id>,
    children: Vec<(String, Id)>,
    defined: BTreeSet<String>,
    aliases: BTreeMap<String, Vec<String>>,
    imports: Vec<Import>,
}

/// All modules of a crate but those for tests. The first one is its root.
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
}

impl Tree {
    pub(crate) fn read(sources: &Sources) -> Self {
        let mut tree = Self { modules: Vec::new() };
        tree.add_file(sources, "lib.rs", "", None);
        tree
    }

    fn add_file(&mut self, sources: &Sources, file: &str, folder: &str, parent: Option<Id>) -> Id {
        let text = sources.get(file).unwrap_or_else(|| panic!("no file src/{file}"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("cannot parse src/{file}: {error}"));
        self.add(sources, file, folder, parent, parsed.items)
    }

    /// Adds a module, and those below it, whose files are in `folder`.
    fn add(
        &mut self,
        sources: &Sources,
        file: &str,
        folder: &str,
        parent: Option<Id>,
        items: Vec<Item>,
    ) -> Id {
        let id = self.modules.len();
        let items = items.into_iter().flat_map(items_of_macro);
        let compiled = items.filter(|item| !is_test(attributes(item)));
        let (below, items): (Vec<_>, Vec<_>) = compiled.partition(|item| matches!(item, Item::Mod(_)));
        let mut names = Names::default();
        items.iter().for_each(|item| names.visit_item(item));
        let defined = items.iter().filter_map(name).collect();
        let aliases = items.iter().filter_map(alias).collect();
        let file = file.to_owned();
        let (children, imports) = (Vec::new(), names.imports);
        self.modules.push(Module { file: file.clone(), items, parent, children, defined, aliases, imports });
        for child in below {
            let Item::Mod(child) = child else { continue };
            let name = child.ident.to_string();
            let below = format!("{folder}{name}/");
            let child = match (child.content, path_attribute(&child.attrs)) {
                (Some((_, items)), _) => self.add(sources, &file, &below, Some(id), items),
                (None, Some(path)) => {
                    let base = file.rfind('/').map_or("", |end| &file[..=end]);
                    let path = format!("{base}{path}");
                    let below = path.rfind('/').map_or("", |end| &path[..=end]).to_owned();
                    self.add_file(sources, &path, &below, Some(id))
                }
                (None, None) => {
                    let flat = format!("{folder}{name}.rs");
                    let nested = format!("{below}mod.rs");
                    let path = if sources.contains_key(&flat) { flat } else { nested };
                    self.add_file(sources, &path, &below, Some(id))
                }
            };
            self.modules[id].children.push((name, child));
        }
        id
    }

    /// Returns whether a module is inside another one.
    pub(crate) fn is_below(&self, module: Id, other: Id) -> bool {
        self.modules[module].parent.is_some_and(|parent| parent == other || self.is_below(parent, other))
    }

    /// Returns what a path in a module leads to; nothing if its first name is none of the module.
    pub(crate) fn resolve(&self, module: Id, path: &[String]) -> BTreeSet<Target> {
        self.walk(module, path, &mut Vec::new())
    }

    fn walk(&self, module: Id, path: &[String], pending: &mut Vec<(Id, String)>) -> BTreeSet<Target> {
        let mut found = match path[0].as_str() {
            "crate" => BTreeSet::from([Target::Module(0)]),
            "self" | "super" => self.step(module, &path[0], pending),
            name => self.lookup(module, name, pending),
        };
        for segment in &path[1..] {
            let is_path_of_modules = found.iter().any(|target| matches!(target, Target::Module(_)));
            let next = found.into_iter().flat_map(|target| match target {
                Target::Module(id) => self.step(id, segment, pending),
                Target::Outside => BTreeSet::from([Target::Outside]),
                Target::Item(..) if is_path_of_modules => BTreeSet::new(),
                Target::Item(id, name, member) => {
                    BTreeSet::from([Target::Item(id, name, member.or_else(|| Some(segment.clone())))])
                }
            });
            found = next.collect();
        }
        found
    }

    fn step(&self, module: Id, segment: &str, pending: &mut Vec<(Id, String)>) -> BTreeSet<Target> {
        match segment {
            "self" => BTreeSet::from([Target::Module(module)]),
            "super" => self.modules[module].parent.into_iter().map(Target::Module).collect(),
            name => self.lookup(module, name, pending),
        }
    }

    /// Follows a name through `use` to where it is defined, in each of the modules that features choose from.
    fn lookup(&self, id: Id, name: &str, pending: &mut Vec<(Id, String)>) -> BTreeSet<Target> {
        let this = (id, name.to_owned());
        if pending.contains(&this) {
            return BTreeSet::new();
        }
        pending.push(this);
        let module = &self.modules[id];
        let mut found = BTreeSet::new();
        if module.defined.contains(name) {
            found.insert(Target::Item(id, name.to_owned(), None));
        }
        let children = module.children.iter().filter(|(child, _)| child == name);
        found.extend(children.map(|(_, child)| Target::Module(*child)));
        for import in module.imports.iter().filter(|import| import.name == name) {
            let is_outside =
                !is_of_crate(&import.path) && self.lookup(id, &import.path[0], pending).is_empty();
            found.extend(is_outside.then_some(Target::Outside));
            found.extend(self.walk(id, &import.path, pending));
        }
        if found.is_empty() {
            for glob in module.imports.iter().filter(|import| import.name == "*") {
                for target in self.walk(id, &glob.path, pending) {
                    if let Target::Module(from) = target {
                        found.extend(self.lookup(from, name, pending));
                    }
                }
            }
        }
        pending.pop();
        found
    }

    /// Returns where a type is defined whose name stands at a path, behind its aliases.
    pub(crate) fn types(&self, module: Id, path: &[String]) -> BTreeSet<(Id, String)> {
        let mut types = BTreeSet::new();
        for target in self.resolve(module, path) {
            if let Target::Item(id, name, None) = target {
                match self.modules[id].aliases.get(&name) {
                    Some(path) => types.extend(self.types(id, path)),
                    None => _ = types.insert((id, name)),
                }
            }
        }
        types
    }
}

/// The names that the `use` items of a module bring in, also those inside its functions.
#[derive(Default)]
struct Names {
    imports: Vec<Import>,
}

impl<'a> Visit<'a> for Names {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.imports.extend(imports(item));
    }

    fn visit_item_mod(&mut self, _: &'a syn::ItemMod) {}

    fn visit_item(&mut self, item: &'a Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }
}

/// Returns what a `use` brings in. A glob has the name `*`.
pub(crate) fn imports(item: &ItemUse) -> Vec<Import> {
    fn collect(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Import>) {
        let mut push = |ident: &Ident, name: String| {
            let mut path = path.clone();
            if ident != "self" || path.is_empty() {
                path.push(ident.to_string());
            }
            let name = if name == "self" { path[path.len() - 1].clone() } else { name };
            found.push(Import { name, path });
        };
        match tree {
            UseTree::Name(name) => push(&name.ident, name.ident.to_string()),
            UseTree::Rename(name) => push(&name.ident, name.rename.to_string()),
            UseTree::Glob(_) => found.push(Import { name: "*".to_owned(), path: path.clone() }),
            UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, path, found)),
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                collect(&step.tree, path, found);
                path.pop();
            }
        }
    }
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        collect(&item.tree, &mut Vec::new(), &mut found);
    }
    found
}

/// Returns whether a path says that it leads to something of this crate.
pub(crate) fn is_of_crate(path: &[String]) -> bool {
    ["crate", "self", "super"].contains(&path[0].as_str())
}

/// Returns whether a `use` shows what it brings in to other modules.
pub(crate) fn is_reexport(item: &ItemUse) -> bool {
    !matches!(item.vis, Visibility::Inherited)
}

/// Returns the segments of a path.
pub(crate) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Returns the path of a type that is named by one.
pub(crate) fn type_path(named: &Type) -> Option<Vec<String>> {
    match named {
        Type::Path(named) if named.qself.is_none() => Some(segments(&named.path)),
        _ => None,
    }
}

/// Returns the items that a macro such as `pin_project!` is given, in its place. Any other item stays as it is.
fn items_of_macro(item: Item) -> Vec<Item> {
    match &item {
        Item::Macro(called) if called.ident.is_none() => match called.mac.parse_body::<syn::File>() {
            Ok(given) if !given.items.is_empty() => given.items,
            _ => vec![item],
        },
        _ => vec![item],
    }
}

fn alias(item: &Item) -> Option<(String, Vec<String>)> {
    match item {
        Item::Type(alias) => Some((alias.ident.to_string(), type_path(&alias.ty)?)),
        _ => None,
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Returns the attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether attributes compile something for tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions
        .filter_map(|condition| condition.parse_args::<Meta>().ok())
        .any(|meta| holds(&meta) == Some(false))
}

/// Returns whether a condition holds outside tests, if that depends on nothing else.
fn holds(condition: &Meta) -> Option<bool> {
    let parts = |list: &syn::MetaList| -> Vec<Option<bool>> {
        let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap();
        parts.iter().map(holds).collect()
    };
    match condition {
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::List(list) if list.path.is_ident("all") => parts(list).contains(&Some(false)).then_some(false),
        Meta::List(list) if list.path.is_ident("any") => {
            parts(list).iter().all(|part| *part == Some(false)).then_some(false)
        }
        Meta::List(list) if list.path.is_ident("not") => parts(list)[0].map(|holds| !holds),
        _ => None,
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}
