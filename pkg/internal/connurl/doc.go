// Package connurl takes connection URLs apart, those of Redis and of
// PostgreSQL:
//
//	scheme://user:password@host:port/path?name=value&…
//
// It reads them as people write them into files and variables: white space
// around them is dropped, and any character but / ? # % may stand unencoded in
// a password, where https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1 and
// net/url are stricter. What cannot be read is rejected by its cause, and no
// error holds any part of the URL that is, or by a slip of quoting could be, a
// piece of the password.
package connurl
