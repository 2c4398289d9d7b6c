//! A macro that implements the traits of stores for `Arc`.

// Layer 3 of 10: storage.

/// Implements a trait for `Arc<T>`, given the signatures of all its methods without `&self`.
///
/// Only for `Arc`: an implementation for everything that dereferences to a store would conflict with that of an application's type that
/// dereferences to a foreign one, such as a connection pool, and the compiler would report a missing `Deref` where the trait is missing.
macro_rules! forward_to_arc {
    ($trait:ident: $(fn $method:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl<T: $trait> $trait for Arc<T> {
            $(fn $method(&self, $($argument: $type),*) -> $output {
                (**self).$method($($argument),*)
            })*
        }
    };
}

pub(super) use forward_to_arc;
