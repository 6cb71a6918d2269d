// The parts of Boost.Asio that this module uses: include this, never Asio itself, so that all
// sources see it configured alike. Internal to this module; slow to compile.
#pragma once

// An io_context runs on one thread here and what is posted to it goes through its lock, so the
// fences around each handler order nothing. The thread sanitizer does not understand them either.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
