package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// networkError names a transport fault. How far the request got decides what
// a mutation may have done: dns and connection_refused mean that nothing was
// sent.
func networkError(ctx context.Context, err error) *Error {
	e := &Error{Class: Network, Code: CodeConnection, cause: err, Message: networkMessage(err)}
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Code = CodeCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		e.Code = CodeTimeout
	case errors.As(err, &dns):
		e.Code, e.unsent = CodeDNS, true
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Code, e.unsent = CodeRefused, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		e.Code = CodeReset
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record), errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &hostname):
		e.Code = CodeTLS
	}
	return e
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// networkMessage drops the method and URL that url.Error adds: the endpoint
// is known by its region, and a proxy's URL may hold a password.
func networkMessage(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return shorten(err.Error())
}
