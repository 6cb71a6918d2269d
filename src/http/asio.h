// The parts of Boost.Asio that this module uses. Include this instead of Asio itself, so that all
// sources see it configured alike. Internal to this module; slow to compile.
#pragma once

// Each io_context runs on one thread here, and a posted handler passes through its lock, so the
// fences around handlers order nothing. The thread sanitizer does not understand them either.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
