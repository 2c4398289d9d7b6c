//! The life of a key, by code and over HTTP.

mod audit;
mod by_code;
mod choices;
mod create_exclusive;
mod disabling;
mod document;
mod external_callers;
mod hanging_up;
mod imports;
mod last_manager;
mod loopholes;
mod over_http;
mod own;
mod parsers;
mod paths;
mod permissions;
mod rejected;
mod schema;
mod settings;
mod shared_settings;
mod tenants;
mod texts;
mod two_tenants;
mod usage;
mod waiting;
mod world;
